"""Distances against closed forms, and slow references."""

import numpy as np
import pytest
from onepaper.errors import OnePaperError, UsageError

from imagen3.evaluation import distribution
from imagen3.evaluation.distances import frechet, kernel_distance


def sets(first: int, second: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    mixing = generator.standard_normal((dim, dim))
    return generator.standard_normal((first, dim)), 0.5 + generator.standard_normal((second, dim)) @ mixing


def test_equal_sets() -> None:
    x = sets(100, 2, 8)[0]
    assert frechet(x, x).distance < 1e-6
    assert distribution.cmmd(x, x) < 1e-6
    assert distribution.neighbour_scores(x, x) == (1, 1, pytest.approx(1.2), 1)
    # A line: k nearest of each of evenly spaced points, the point itself included, so that density is near (k+1)/k.


def test_wrong_features_are_said() -> None:
    x, y = sets(20, 20, 4)
    broken = y.copy()
    broken[3, 2] = np.nan
    for call in (frechet, distribution.cmmd, distribution.neighbour_scores):
        with pytest.raises(OnePaperError, match="not finite"):
            call(x, broken)
        with pytest.raises(UsageError, match="expected \\[count, dim\\]"):
            call(x, y[:, :2])
        with pytest.raises(UsageError, match="expected at least 2"):
            call(x, y[:1])
        with pytest.raises(UsageError, match="complex"):
            call(x, y.astype(complex))
    with pytest.raises(OnePaperError, match="a feature vector is zero"):
        distribution.cmmd(x, np.zeros((5, 4)))
    with pytest.raises(UsageError, match="size of the subsets is 30"):
        distribution.kid(x, y, np.random.default_rng(0), size=30)
    with pytest.raises(UsageError, match="number of neighbours is 20"):
        distribution.neighbour_scores(x, y, nearest=20)
    with pytest.raises(UsageError, match="at least 20 to extrapolate"):
        distribution.frechet_infinity(x, y[:10], np.random.default_rng(0))


def test_infinity_removes_the_bias() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((5000, 24)), generator.standard_normal((400, 24))
    biased = frechet(x, y).distance
    found, slope = distribution.frechet_infinity(x, y, generator)
    assert abs(found) < biased / 3
    assert slope > 0


def test_cmmd() -> None:
    x, y = sets(300, 250, 16)
    units = [own / np.linalg.norm(own, axis=1, keepdims=True) for own in (x, y)]
    for block in (64, 1000):
        assert distribution.cmmd(x, y, block=block) == pytest.approx(kernel_distance(*units, width=10.0), rel=1e-5)
    # Two point masses at right angles: the squared distance is 2.
    one, two = np.tile([[1.0, 0.0]], (3, 1)), np.tile([[0.0, 5.0]], (4, 1))
    assert distribution.cmmd(one, two) == pytest.approx(1000 * (2 - 2 * np.exp(-0.01)), rel=1e-6)


def test_kid() -> None:
    x, y = sets(60, 50, 6)
    found, spread = distribution.kid(x, y, np.random.default_rng(0), subsets=1, size=50)
    chosen = x[np.random.default_rng(0).choice(60, 50, replace=False)]

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return (a @ b / 6 + 1) ** 3

    within = sum(
        np.mean([kernel(own[i], own[j]) for i in range(50) for j in range(50) if i != j]) for own in (chosen, y)
    )
    across = np.mean([kernel(a, b) for a in chosen for b in y])
    assert found == pytest.approx(within - 2 * across)
    assert spread == 0
    same = [distribution.kid(x, x, np.random.default_rng(n), subsets=20, size=20)[0] for n in range(10)]
    assert min(same) < 0 < max(same) + 1


def test_neighbours_by_loops() -> None:
    x, y = sets(40, 30, 3)
    k = 4

    def radius(own: np.ndarray, index: int) -> float:
        return np.sort(np.linalg.norm(own - own[index], axis=1))[k]

    inside = np.array([[np.linalg.norm(b - a) <= radius(x, i) for i, a in enumerate(x)] for b in y])
    recalled = [any(np.linalg.norm(b - a) <= radius(y, j) for j, b in enumerate(y)) for a in x]
    found = distribution.neighbour_scores(x, y, nearest=k, block=7)
    assert found.precision == pytest.approx(inside.any(1).mean())
    assert found.recall == pytest.approx(np.mean(recalled))
    assert found.density == pytest.approx(inside.sum(1).mean() / k)
    assert found.coverage == pytest.approx(inside.any(0).mean())
