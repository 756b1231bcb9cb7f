"""Intervals: coverage, groups, paired tests."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from audio_datasets.tasks.intervals import bootstrap, compare, resample_indices
from audio_datasets.tasks.metrics import ccc, uar


def accuracy(x: np.ndarray, y: np.ndarray) -> float:
    return float((x == y).mean())


def test_width_of_a_proportion() -> None:
    """That of the normal approximation, 1.96 sqrt(p (1 - p) / n)."""
    truth = np.zeros(400)
    predicted = (np.arange(400) % 4 == 0).astype(float)
    found = bootstrap(accuracy, truth, predicted, resamples=2000)
    assert found.value == 0.75
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt(0.75 * 0.25 / 400), rel=0.1)
    assert str(found).startswith("0.750 [0.7")


def test_groups() -> None:
    """Where a group is all right or all wrong, its size counts as one."""
    groups = np.repeat(np.arange(20), 50)
    predicted = (groups % 4 == 0).astype(float)
    by_clip = bootstrap(accuracy, np.zeros(1000), predicted)
    by_group = bootstrap(accuracy, np.zeros(1000), predicted, groups=groups.tolist())
    assert by_group.high - by_group.low > 4 * (by_clip.high - by_clip.low)
    for rows in resample_indices(1000, 5, 0, groups.tolist()):
        assert np.bincount(groups[rows], minlength=20).max() % 50 == 0


def test_comparison() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(3, size=300)
    good = np.where(generator.random(300) < 0.8, truth, 0)
    bad = np.where(generator.random(300) < 0.4, truth, 0)
    better = compare(uar, truth, good, bad, resamples=300)
    assert better.difference.low > 0
    assert better.p_value < 0.01
    same = compare(uar, truth, good, good, resamples=300)
    assert same.difference == (0, 0, 0)
    assert same.p_value == 1


def test_undefined() -> None:
    with pytest.raises(UsageError, match="resamples"):
        bootstrap(ccc, np.array([0.0, 0, 0, 1]), np.array([0.0, 0, 0, 0]), resamples=0)
    with pytest.raises(UsageError, match="undefined on"):
        bootstrap(lambda x, y: ccc(x, x), np.array([0.0, 1]), np.array([0.0, 1]), resamples=101, seed=3)


def test_resamples_on_which_a_metric_is_undefined_are_left_out() -> None:
    """Of three clips, some resamples are constant; an interval and a comparison are made of the others."""
    truth, first, second = np.array([0.0, 0.5, 1.0]), np.array([0.1, 0.4, 0.9]), np.array([0.5, 0.5, 0.6])
    assert bootstrap(ccc, truth, truth, resamples=200).value == 1.0
    found = compare(ccc, truth, first, second, resamples=200)
    assert found.difference.value == pytest.approx(ccc(truth, first) - ccc(truth, second))

    def never(x: np.ndarray, y: np.ndarray) -> float:
        if len(set(x)) < 3:
            raise UsageError("undefined")
        return 0.0

    with pytest.raises(UsageError, match="undefined on"):
        bootstrap(never, truth, truth, resamples=200)
