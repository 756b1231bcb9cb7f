"""Distances against closed forms."""

import numpy as np
import pytest
from onepaper.errors import UsageError
from scipy.linalg import sqrtm

from dct_transformer.evaluation.distances import compare, frechet_distance, precision_recall
from dct_transformer.evaluation.haar import haar_features


def test_frechet_distance_of_normal_distributions() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(0, 1, (20_000, 1)), generator.normal(3, 2, (20_000, 1))
    assert frechet_distance(first, second) == pytest.approx(9 + 1, rel=0.03)
    first, second = generator.normal(size=(50, 4)), generator.normal(size=(40, 4)) @ generator.normal(size=(4, 4))
    one, two = (np.cov(part, rowvar=False) for part in (first, second))
    expected = np.square(first.mean(0) - second.mean(0)).sum() + np.trace(one + two - 2 * np.real(sqrtm(one @ two)))
    assert frechet_distance(first, second) == pytest.approx(expected)
    wide = [np.concatenate([part[:3], np.ones((3, 1))], axis=1) for part in (first, second)]  # fewer than dimensions
    one, two = (np.cov(part, rowvar=False) for part in wide)
    root = np.sqrt(np.linalg.eigvals(one @ two).real.clip(0)).sum()
    few = np.square(wide[0].mean(0) - wide[1].mean(0)).sum() + np.trace(one + two) - 2 * root
    assert frechet_distance(*wide) == pytest.approx(few)
    order = [2, 0, 3, 1]
    assert frechet_distance(first[:, order], second[:, order]) == pytest.approx(expected)
    assert frechet_distance(first, first) < 1e-9


def test_precision_and_recall() -> None:
    """Half of what is found is far away; and the other half is at a third of what is real."""
    near = np.linspace(0, 1, 10)[:, None]
    real = np.concatenate([near, near + 100, near + 200])
    found = np.concatenate([near + 0.01, near + 900])
    assert precision_recall(found, real) == (0.5, pytest.approx(1 / 3))
    assert precision_recall(real, real) == (1, 1)
    whole = precision_recall(found, real)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dct_transformer.evaluation.distances.BLOCK", 7)
        assert precision_recall(found, real) == whole


def test_comparison_of_pictures() -> None:
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
    same = compare(haar_features(pictures), haar_features(pictures))
    assert (same["precision"], same["recall"]) == (1, 1)
    assert max(same["fd_haar"], same["sfd_haar"]) < 1e-6
    grey = compare(haar_features(np.full_like(pictures, 128)), haar_features(pictures))
    assert grey["fd_haar"] > 1
    assert grey["recall"] == 0


def test_wrong_features() -> None:
    with pytest.raises(UsageError, match="expected at least 2"):
        frechet_distance(np.zeros((1, 2)), np.zeros((5, 2)))
    with pytest.raises(UsageError, match="expected at least 4"):
        precision_recall(np.zeros((3, 2)), np.zeros((5, 2)))
    with pytest.raises(UsageError, match="of equal dim"):
        frechet_distance(np.zeros((4, 3)), np.zeros((5, 2)))
    with pytest.raises(UsageError, match="not finite"):
        frechet_distance(np.full((4, 2), np.nan), np.zeros((5, 2)))
