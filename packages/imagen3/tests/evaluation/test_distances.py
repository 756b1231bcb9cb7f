"""Distances against closed forms and independent formulas."""

import numpy as np
import pytest
import scipy.linalg
from onepaper.errors import OnePaperError, UsageError

from imagen3.evaluation.distances import covariance, frechet, kernel_distance

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


def by_singular_values(first: np.ndarray, second: np.ndarray) -> float:
    """The distance by the nuclear norm of the product of the centred features, where no root is taken."""
    centred = [own - own.mean(0) for own in (first, second)]
    traces = [np.trace(np.cov(own, rowvar=False)) for own in (first, second)]
    norm = np.linalg.norm(centred[0] @ centred[1].T, "nuc") / np.sqrt((len(first) - 1) * (len(second) - 1))
    return float(np.square(first.mean(0) - second.mean(0)).sum() + sum(traces) - 2 * norm)


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


def test_ten_digits() -> None:
    """Beside formulas by singular values, by eigenvalues and by the root of a matrix, for well conditioned sets."""
    x, y = RANDOM.normal(size=(700, 64)), 0.1 + RANDOM.normal(size=(600, 64)) * np.geomspace(0.1, 3, 64)
    found = frechet(x, y).distance
    assert found == pytest.approx(by_singular_values(x, y), rel=1e-12)
    assert found == pytest.approx(by_eigenvalues(x, y), rel=1e-12)
    root = scipy.linalg.sqrtm(np.cov(x.T) @ np.cov(y.T))
    means = np.square(x.mean(0) - y.mean(0)).sum()
    assert found == pytest.approx(means + np.trace(np.cov(x.T) + np.cov(y.T) - 2 * root.real), rel=1e-10)


@pytest.mark.parametrize("dead", [0.0, 1e-9, 1e-3])
def test_singular_covariances(dead: float) -> None:
    """Features that are constant, nearly so, or sums of others: roots of their eigenvalues would be noise."""
    x, y = (RANDOM.normal(size=(900, 60)) + shift for shift in (0, 0.2))
    for own in (x, y):
        own[:, 40:50] *= dead
        own[:, 50:] = own[:, :10] + own[:, 10:20]
    expected = by_singular_values(x, y)
    assert frechet(x, y).distance == pytest.approx(expected, rel=1e-10)
    assert frechet(y, x).distance == pytest.approx(expected, rel=1e-10)
    # The same set in another basis: errors of roots would not cancel, but add up.
    rotation = np.linalg.qr(RANDOM.normal(size=(60, 60)))[0]
    assert frechet(x @ rotation, x[::-1] @ rotation).distance < 1e-9


@pytest.mark.parametrize(("share", "calls"), [(1e-12, 0), (1e-14, 1)])
def test_eigenvalues_without_digits_are_not_used(share: float, calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, original = [], np.linalg.svd
    monkeypatch.setattr(np.linalg, "svd", lambda *given, **words: (seen.append(1), original(*given, **words))[1])
    features = np.linalg.qr(X - X.mean(0))[0] * [*[1.0] * 5, share**0.25]
    assert frechet(features, features).distance < 1e-12
    assert len(seen) == calls


def test_covariance() -> None:
    features = 1000 + RANDOM.normal(size=(1300, 5))  # more rows than are taken at a time
    found = covariance(features)
    np.testing.assert_allclose(found, np.tril(np.cov(features, rowvar=False)), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("count", [300, 5])
def test_what_rounding_does_is_said(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A negative intermediate value: rounded to 0 and said where rounding explains it, an error where it does not."""
    factor, some = 1 + 1e-9, X[:count]
    for module, name, power in ((np.linalg, "svd", 1), (scipy.linalg, "eigh", 2)):
        original = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *a, original=original, power=power, **b: factor**power * original(*a, **b)
        )
    found = frechet(some, some)
    assert found.distance == 0
    assert "was rounded to 0" in found.notes[0]
    for wrong in (1.1, np.nan):
        factor = wrong
        with pytest.raises(OnePaperError, match="which rounding does not explain"):
            frechet(some, some)


@pytest.mark.parametrize("distance", [frechet, lambda x, y: kernel_distance(x, y, 1.0)])
def test_features_whose_squares_overflow_are_refused(distance):
    large = np.random.default_rng(0).normal(size=(8, 3)) * 1e160
    with pytest.raises(OnePaperError, match="squares overflow"):
        distance(large, large + 1e159)
