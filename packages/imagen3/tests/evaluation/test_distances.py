"""Distances against closed forms and independent formulas."""

import numpy as np
import pytest
import scipy.linalg
from onepaper.errors import OnePaperError, UsageError

from imagen3.evaluation.distances import frechet, kernel_distance

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(300, 6)), RANDOM.normal(size=(200, 6)) @ RANDOM.normal(size=(6, 6)) + 0.5


def by_eigenvalues(first: np.ndarray, second: np.ndarray) -> float:
    """The distance by the eigenvalues of a symmetric product, which also holds for singular covariances."""
    covariances = [np.cov(features, rowvar=False) for features in (first, second)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    product = np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)
    means = np.square(first.mean(0) - second.mean(0)).sum()
    return float(means + sum(np.trace(own) for own in covariances) - 2 * np.sqrt(product).sum())


@pytest.mark.parametrize(("first", "second", "dim"), [(200, 300, 8), (40, 30, 64), (300, 20, 32)])
def test_frechet_by_eigenvalues(first: int, second: int, dim: int) -> None:
    x, y = RANDOM.normal(size=(first, dim)), 0.5 + RANDOM.normal(size=(second, dim)) @ RANDOM.normal(size=(dim, dim))
    found = frechet(x, y)
    assert found.distance == pytest.approx(by_eigenvalues(x, y), rel=1e-6)
    biased = any("biased upward" in note for note in found.notes)
    assert biased == (min(first, second) <= dim)
    assert found.notes[-1] == "sets of different sizes have different biases"


def test_frechet_by_the_root_of_a_matrix() -> None:
    first, second = np.cov(X.T), np.cov(Y.T)
    root = scipy.linalg.sqrtm(first @ second).real
    expected = np.square(X.mean(0) - Y.mean(0)).sum() + np.trace(first + second - 2 * root)
    assert frechet(X, Y).distance == pytest.approx(expected, rel=1e-8)
    assert frechet(Y, X).distance == pytest.approx(expected, rel=1e-8)


def test_frechet_of_one_dimension_and_rotations() -> None:
    first, second = X[:, :1], 3 * X[:, :1] + 2
    difference, spread = first.mean() - second.mean(), first.std(ddof=1) - second.std(ddof=1)
    assert frechet(first, second).distance == pytest.approx(difference**2 + spread**2)
    rotation = np.linalg.qr(RANDOM.normal(size=(6, 6)))[0]
    assert frechet(X @ rotation, Y @ rotation).distance == pytest.approx(frechet(X, Y).distance)
    assert frechet(X, X).distance < 1e-6
    assert frechet(X[:4], Y[:4]).distance == pytest.approx(
        by_eigenvalues(X[:4], Y[:4])
    )  # fewer samples than dimensions


def test_kernel_distance() -> None:
    points = np.zeros((5, 3)), np.tile([3.0, 0.0, 4.0], (7, 1))
    assert kernel_distance(*points, width=10.0) == pytest.approx(1000 * (2 - 2 * np.exp(-25 / 200)))
    assert kernel_distance(X, X, 10.0) == pytest.approx(0, abs=1e-9)

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return np.exp(-np.square(a[:, None] - b[None]).sum(2) / 8).mean()

    expected = 1000 * (kernel(X, X) + kernel(Y, Y) - 2 * kernel(X, Y))
    assert kernel_distance(X, Y, 2.0, block=64) == pytest.approx(expected)


@pytest.mark.parametrize("distance", [frechet, lambda a, b: kernel_distance(a, b, 1.0)])
def test_wrong_values(distance) -> None:  # noqa: ANN001
    with pytest.raises(UsageError, match="of equal dim"):
        distance(X, Y[:, :5])
    with pytest.raises(UsageError, match="at least 2"):
        distance(X, Y[:1])
    with pytest.raises(OnePaperError, match="not finite"):
        distance(X, np.where(Y > 2, np.nan, Y))


def test_double_precision() -> None:
    """Features in single precision, far from the origin: sums of squares of them would have no digits left."""
    x, y = (100 + own.astype(np.float32) / 8 for own in (X, Y))
    assert frechet(x, y).distance == pytest.approx(by_eigenvalues(x.astype(float), y.astype(float)), rel=1e-6)


def test_what_rounding_does_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A negative intermediate value: rounded to 0 and said where rounding explains it, an error where it does not."""
    original, factor = np.linalg.svd, 1 + 1e-9
    monkeypatch.setattr(np.linalg, "svd", lambda *given, **words: factor * original(*given, **words))
    found = frechet(X, X)
    assert found.distance == 0
    assert "was rounded to 0" in found.notes[0]
    factor = 1.1
    with pytest.raises(OnePaperError, match="which rounding does not explain"):
        frechet(X, X)


@pytest.mark.parametrize("distance", [frechet, lambda x, y: kernel_distance(x, y, 1.0)])
def test_features_whose_squares_overflow_are_refused(distance):
    large = np.random.default_rng(0).normal(size=(8, 3)) * 1e160
    with pytest.raises(OnePaperError, match="squares overflow"):
        distance(large, large + 1e159)
