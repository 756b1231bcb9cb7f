"""Intervals over groups, and the HARES score only with twelve tasks."""

import numpy as np
import pytest
from onepaper.errors import UsageError
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score

from hares.data.published import published_rows
from hares.data.tasks import TASKS
from hares.probing.scores import (
    bootstrap_over_groups,
    domain_means,
    hares_score,
    mean_average_precision,
    rank_test,
    ranking_precision,
)


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


def test_ranking_precision_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(3)
    truth = (generator.random((30, 6)) < 0.3).astype(float)
    truth[:, 0] = 1.0
    scores = generator.integers(0, 5, (30, 6)).astype(float)  # with ties
    found = ranking_precision(truth, scores)
    assert found.mean() == pytest.approx(label_ranking_average_precision_score(truth, scores))
    assert found[3] == pytest.approx(label_ranking_average_precision_score(truth[3:4], scores[3:4]))


def test_ranks_of_a_textbook_example() -> None:
    """Four classifiers on fourteen data sets have a critical difference of 1.25 (Demsar, 2006, section 3.2.2)."""
    generator = np.random.default_rng(0)
    scores = {name: {str(task): float(generator.normal()) for task in range(14)} for name in "abcd"}
    ranks, difference, p_value = rank_test(scores)
    assert difference == pytest.approx(1.25, abs=0.005)
    assert sum(ranks.values()) == pytest.approx(10.0)
    assert 0.0 <= p_value <= 1.0
    scores["a"] = dict.fromkeys(scores["a"], 10.0)
    assert rank_test(scores)[0]["a"] == 1.0
    equal = {name: dict.fromkeys("xy", 0.5) for name in "abc"}
    assert rank_test(equal)[::2] == (dict.fromkeys("abc", 2.0), 1.0)
    with pytest.raises(UsageError, match="ranks need 3 and 2"):
        rank_test({"a": {"x": 1.0, "y": 1.0}, "b": {"x": 0.0, "y": 1.0}})
