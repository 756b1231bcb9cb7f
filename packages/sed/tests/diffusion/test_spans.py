"""Span masks against their exact distribution."""

import jax
import numpy as np
import pytest
from onepaper.errors import UsageError

from sed.diffusion.spans import TASKS, sample_mask, task_mask

BATCH, LENGTH = 20_000, 12


@pytest.mark.parametrize("spans", [1, 2, 5, 12])
def test_distribution(spans: int) -> None:
    masks = np.asarray(sample_mask(jax.random.key(spans), BATCH, LENGTH, spans))
    empty = (~masks).all(axis=1)
    error = 4 * np.sqrt(0.25 / BATCH)
    assert empty.mean() == pytest.approx(1 / spans, abs=error)
    np.testing.assert_allclose(masks.mean(axis=0), (spans - 1) / (2 * spans), atol=error)
    assert not masks.all(axis=1).any()
    runs = 1 + (np.diff(masks, axis=1) != 0).sum(axis=1)
    for count in range(1, spans + 1):
        assert (runs == count).mean() == pytest.approx(1 / spans, abs=error)


def test_cuts_are_uniform() -> None:
    """Of two spans, each of the N - 1 cuts is as probable, and either span is given."""
    masks = np.asarray(sample_mask(jax.random.key(0), BATCH, LENGTH, 2))
    two = masks[masks.any(axis=1)]
    cuts = np.diff(two, axis=1) != 0
    np.testing.assert_allclose(cuts.mean(axis=0), 1 / (LENGTH - 1), atol=4 * np.sqrt(0.1 / len(two)))
    assert two[:, 0].mean() == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / len(two)))


def test_tasks() -> None:
    found = {task: "".join("x" if given else "." for given in task_mask(task, 8)) for task in TASKS}
    assert found == {
        "unconditional": "........",
        "suffix": "xxxx....",
        "prefix": "....xxxx",
        "middle": "xx....xx",
        "spans": "xx..xx..",
    }
    with pytest.raises(UsageError, match="expected one of unconditional, suffix"):
        task_mask("infix", 8)
