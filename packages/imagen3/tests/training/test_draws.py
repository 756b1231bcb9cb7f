"""Random numbers of rows: the same whatever the process, normal and stratified."""

import numpy as np
import pytest
import torch
from scipy import stats

from imagen3.training.draws import random_rows


def test_rows_do_not_depend_on_their_part() -> None:
    whole = random_rows((2, 3, 3), range(8), 8, seed=1, step=2, normals=2, uniforms=2)
    part = random_rows((2, 3, 3), range(4, 8), 8, seed=1, step=2, normals=2, uniforms=2)
    for name, value in part.items():
        assert torch.equal(value, whole[name][4:]), name
    for other in ({"seed": 2, "step": 2}, {"seed": 1, "step": 3}):
        found = random_rows((2, 3, 3), range(8), 8, normals=2, uniforms=2, **other)
        assert not torch.equal(found["normal"], whole["normal"])


def test_distributions() -> None:
    found = random_rows((4, 8, 8), range(64), 64, seed=0, step=0, normals=2, uniforms=2)
    assert found["normal"].shape == (64, 2, 4, 8, 8)
    assert stats.kstest(found["normal"].flatten().numpy(), "norm").pvalue > 0.01
    strata = np.floor(64 * found["uniform"][:, 0].numpy())
    assert sorted(strata) == list(range(64))
    assert float(found["uniform"][:, 1].mean()) == pytest.approx(0.5, abs=0.15)
