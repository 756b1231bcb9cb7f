"""Intervals over groups, and the HARES score only with twelve tasks."""

import numpy as np
import pytest
from onepaper.errors import UsageError
from sklearn.metrics import average_precision_score

from hares.data.published import published_rows
from hares.data.tasks import TASKS
from hares.probing.scores import bootstrap_over_groups, domain_means, hares_score, mean_average_precision


def test_interval_has_the_standard_error_of_group_means() -> None:
    values = np.random.default_rng(0).integers(0, 2, 200).astype(float)
    single = bootstrap_over_groups(values, [str(index) for index in range(200)])
    width = 2 * 1.96 * values.std() / np.sqrt(200)
    assert single.high - single.low == pytest.approx(width, rel=0.1)
    # Ten equal clips a group: as many independent values as groups.
    clustered = bootstrap_over_groups(np.repeat(values, 10), np.repeat(np.arange(200), 10).astype(str).tolist())
    assert clustered.high - clustered.low == pytest.approx(width, rel=0.1)
    assert single.mean == clustered.mean == values.mean()


def test_no_clips_are_refused() -> None:
    with pytest.raises(UsageError, match="no clips"):
        bootstrap_over_groups(np.zeros(0), [])


def test_hares_needs_all_tasks() -> None:
    row = published_rows()[-1]
    scores = {task.name: float(value) for task, value in zip(TASKS, row.scores, strict=True)}
    assert hares_score(scores) == pytest.approx(74.59, abs=0.01)
    assert domain_means(scores)["speech"] == pytest.approx(77.22, abs=0.01)
    partial = {name: value for name, value in scores.items() if name != "birdsong"}
    assert hares_score(partial) is None
    assert set(domain_means(partial)) == {"speech", "music"}
    with pytest.raises(UsageError, match="esc10"):
        hares_score({"esc10": 1.0})


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_is_that_of_scikit_learn(ties: bool) -> None:
    generator = np.random.default_rng(0)
    truth = (generator.random((60, 5)) < 0.3).astype(float)
    scores = generator.integers(0, 4, (60, 5)).astype(float) if ties else generator.random((60, 5))
    found, left_out = mean_average_precision(truth, scores)
    assert found == pytest.approx(average_precision_score(truth, scores, average="macro"))
    assert left_out == 0
    truth[:, 1] = 0
    found, left_out = mean_average_precision(truth, scores)
    kept = [0, 2, 3, 4]
    assert found == pytest.approx(average_precision_score(truth[:, kept], scores[:, kept], average="macro"))
    assert left_out == 1
    with pytest.raises(UsageError, match="no class"):
        mean_average_precision(0 * truth, scores)
    with pytest.raises(UsageError, match="finite"):
        mean_average_precision(truth, scores * np.nan)
