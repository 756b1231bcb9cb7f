"""Ratings against closed forms, a general optimiser, and the library choix where it is installed."""

from collections.abc import Callable

import numpy as np
import pytest
from onepaper.errors import UsageError
from scipy.optimize import minimize

from imagen3.human.elo import TIES, Ties, fit_batch, fit_ratings
from imagen3.human.votes import Comparisons, pair_indices

Draw = Callable[..., Comparisons]


def test_two_models() -> None:
    ratings = fit_ratings(("a", "b"), np.array([[63.0, 37.0, 0.0]]))
    np.testing.assert_allclose(ratings.elo[0] - ratings.elo[1], 400 * np.log10(63 / 37))
    np.testing.assert_allclose(ratings.elo.mean(), 1000)


def test_consistent_odds_are_recovered() -> None:
    elo = np.array([1100.0, 1000.0, 900.0])
    first, second = pair_indices(3)
    chance = 1 / (1 + 10 ** ((elo[second] - elo[first]) / 400))
    counts = np.stack([100 * chance, 100 * (1 - chance), np.zeros(3)], 1)
    np.testing.assert_allclose(fit_ratings("abc", counts).elo, elo, atol=1e-8)


def test_standard_error_of_equal_models() -> None:
    """Complete graph, equal strength: the variance of theta is 4 (K - 1) / (n K^2)."""
    counts = np.tile([1250.0, 1250.0, 0.0], (15, 1))
    expected = 400 / np.log(10) * np.sqrt(4 * 5 / (2500 * 36))
    np.testing.assert_allclose(fit_ratings("abcdef", counts).standard_error, expected)
    np.testing.assert_allclose(fit_ratings("abcdef", counts).half_width(0.99), 2.5758 * expected, rtol=1e-4)


def naive(counts: np.ndarray, models: int, ties: Ties) -> tuple[np.ndarray, float]:
    """Ratings and nu or kappa by a general optimiser on the likelihood as it is written in the literature."""
    first, second = pair_indices(models)

    def loss(values: np.ndarray) -> float:
        g, extra = np.exp(values[:models]), np.exp(values[models])
        i, j = g[first], g[second]
        if ties == "davidson":
            tie = extra * np.sqrt(i * j)
            chances = np.stack([i, j, tie], 1) / (i + j + tie)[:, None]
        elif ties == "rao-kupper":
            kappa = 1 + extra
            chances = np.stack([i / (i + kappa * j), j / (j + kappa * i)], 1)
            chances = np.concatenate([chances, 1 - chances.sum(1, keepdims=True)], 1)
        else:
            chances = np.stack([i / (i + j), j / (i + j)], 1)
            half = counts[:, 2:] / 2 if ties == "half" else 0.0
            return -((counts[:, :2] + half) * np.log(chances)).sum() + values[models] ** 2
        return -(counts * np.log(chances)).sum()

    found = minimize(loss, np.zeros(models + 1), method="BFGS", options={"gtol": 1e-4}).x
    theta, extra = found[:models], np.exp(found[models])
    return 1000 + 400 / np.log(10) * (theta - theta.mean()), extra + (ties == "rao-kupper")


@pytest.mark.parametrize("ties", TIES)
def test_general_optimiser(ties: Ties, drawn: Draw) -> None:
    counts = drawn(0, tie_rate=0.2).counts()
    elo, extra = naive(counts, 5, ties)
    found = fit_ratings("abcde", counts, ties)
    np.testing.assert_allclose(found.elo, elo, atol=0.01)
    if ties in ("davidson", "rao-kupper"):
        np.testing.assert_allclose(found.tie_parameter, extra, rtol=1e-4)
    else:
        assert found.tie_parameter is None


@pytest.mark.parametrize("ties", TIES)
def test_standard_errors_are_the_curvature(ties: Ties, drawn: Draw) -> None:
    """The spread of ratings over many boards drawn from the same ratings is the standard error."""
    boards = np.stack([drawn(seed, votes=60).counts() for seed in range(200)])
    fit = fit_batch(boards, 5, ties)
    ratio = fit.elo.std(0) / fit.standard_error.mean(0)
    assert ((ratio > 0.85) & (ratio < 1.15)).all(), ratio


def test_choix(drawn: Draw) -> None:
    choix = pytest.importorskip("choix")
    counts = drawn(1, votes=50).counts()
    first, second = pair_indices(5)
    data = []
    for pair, (wins, losses, _) in enumerate(counts.astype(int)):
        data += [(first[pair], second[pair])] * wins + [(second[pair], first[pair])] * losses
    theta = choix.ilsr_pairwise(5, data)
    np.testing.assert_allclose(fit_ratings("abcde", counts).elo, 1000 + 400 / np.log(10) * theta, atol=1e-3)


def test_symmetries(drawn: Draw) -> None:
    counts = drawn(2).counts()
    found = fit_ratings("abcde", counts, "davidson")
    twice = fit_ratings("abcde", 2 * counts, "davidson")
    np.testing.assert_allclose(twice.elo, found.elo, atol=1e-6)
    np.testing.assert_allclose(twice.standard_error, found.standard_error / np.sqrt(2), rtol=1e-6)
    reversed_counts = np.empty_like(counts)
    table = np.zeros((5, 5), int)
    table[pair_indices(5)] = np.arange(10)
    for pair, (i, j) in enumerate(zip(*pair_indices(5), strict=True)):
        reversed_counts[table[4 - j, 4 - i]] = counts[pair, [1, 0, 2]]
    np.testing.assert_allclose(fit_ratings("edcba", reversed_counts, "davidson").elo, found.elo[::-1], atol=1e-6)
    assert found.order() == np.argsort(-found.elo).tolist()


def test_coverage() -> None:
    """95% intervals of 400 boards cover the true ratings in 92 to 98% of the cases."""
    generator = np.random.default_rng(0)
    elo = np.array([1080.0, 1010.0, 970.0, 940.0])
    first, second = pair_indices(4)
    wins = generator.binomial(300, 1 / (1 + 10 ** ((elo[second] - elo[first]) / 400)), (400, 6)).astype(float)
    fit = fit_batch(np.stack([wins, 300 - wins, 0 * wins], 2), 4)
    covered = (np.abs(fit.elo - elo) < 1.96 * fit.standard_error).mean()
    assert 0.92 < covered < 0.98


def test_no_ratings() -> None:
    counts = np.zeros((6, 3))
    counts[[0, 5], :2] = 5  # a with b, c with d
    with pytest.raises(UsageError, match="groups of models: a, b; c, d"):
        fit_ratings("abcd", counts)
    counts[1, 0] = 3  # a beats c, c never beats a or b
    with pytest.raises(UsageError, match="a, b never lost to c, d"):
        fit_ratings("abcd", counts)
    assert np.isnan(fit_batch(counts[None], 4).elo).all()
    fit_ratings("abcd", counts + np.array([0, 0, 1]), "half")  # a tie connects
    with pytest.raises(UsageError, match="needs votes with ties"):
        fit_ratings("ab", np.array([[3.0, 4.0, 0.0]]), "rao-kupper")
    with pytest.raises(UsageError, match="have shape"):
        fit_ratings("abc", counts)
    with pytest.raises(UsageError, match="have shape"):
        fit_ratings("ab", np.array([[3.0, -1.0, 0.0]]))
    with pytest.raises(UsageError, match="ties"):
        fit_ratings("ab", np.array([[3.0, 1.0, 0.0]]), "ignore")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="prior_sd is 0"):
        fit_ratings("ab", np.array([[3.0, 1.0, 0.0]]), prior_sd=0)


def test_prior() -> None:
    """With a prior there is a rating after wins only: the root of n (1 - p) = theta / s^2 for each of the two."""
    found = fit_ratings(("a", "b"), np.array([[5.0, 0.0, 0.0]]), prior_sd=200)
    theta = (found.elo - 1000) * np.log(10) / 400
    chance = 1 / (1 + np.exp(theta[1] - theta[0]))
    np.testing.assert_allclose(5 * (1 - chance), theta[0] * (400 / np.log(10) / 200) ** 2)
    wide = fit_ratings(("a", "b"), np.array([[63.0, 37.0, 0.0]]), prior_sd=1e6)
    np.testing.assert_allclose(wide.elo, fit_ratings(("a", "b"), np.array([[63.0, 37.0, 0.0]])).elo, atol=1e-3)
