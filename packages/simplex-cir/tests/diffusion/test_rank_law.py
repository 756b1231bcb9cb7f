"""The distribution of the rank against ranks counted among drawn vectors, and its mean in closed form."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from simplex_cir.diffusion.rank_law import RankLaw


def counted(n: int, snr: float, a: float, count: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    own = generator.gamma(a + generator.poisson(snr, count))
    others = generator.gamma(a, size=(count, n - 1))
    return 1 + (others > own[:, None]).sum(axis=1)


@pytest.mark.parametrize(
    ("n", "snr", "a"), [(5, 1.0, 1.0), (27, 4.0, 1.0), (27, 3.0, 0.05), (10, 2.0, 6.0), (40, 0.01, 0.3)]
)
def test_distribution_is_that_of_counted_ranks(n: int, snr: float, a: float) -> None:
    distribution, ranks = RankLaw(n, snr, a), counted(n, snr, a, 100_000)
    assert distribution.mean() == pytest.approx(ranks.mean(), abs=4 * ranks.std() / np.sqrt(len(ranks)))
    grid = np.arange(1, n + 1)
    shares = (ranks[:, None] <= grid).mean(axis=0)
    np.testing.assert_allclose(distribution.cdf(grid), shares, atol=4 * 0.5 / np.sqrt(len(ranks)))
    assert distribution.first() == pytest.approx(shares[0], abs=4 * 0.5 / np.sqrt(len(ranks)))
    assert distribution.cdf(n) == pytest.approx(1)


def test_mean_has_a_closed_form_for_exponentials() -> None:
    for n, snr in ((1000, 10.0), (32_000, 20.0)):
        distribution = RankLaw(n, snr)
        weights, above = distribution._mixture()
        assert 1 + (n - 1) * float(weights @ above) == pytest.approx(distribution.mean(), rel=1e-9)


def test_quantiles_invert_the_distribution() -> None:
    distribution = RankLaw(32_000, 20.0)
    for probability in (0.5, 0.99, 0.999):
        rank = distribution.quantile(probability)
        assert distribution.cdf(rank) >= probability
        assert rank == 1 or distribution.cdf(rank - 1) < probability


def test_samples_follow_the_distribution() -> None:
    distribution = RankLaw(200, 3.0, 0.7)
    ranks = distribution.sample(np.random.default_rng(1), 100_000)
    assert ranks.mean() == pytest.approx(distribution.mean(), abs=4 * ranks.std() / np.sqrt(len(ranks)))


def test_bad_arguments() -> None:
    with pytest.raises(UsageError, match="expected at least 2"):
        RankLaw(1, 1.0)
    with pytest.raises(UsageError, match="snr"):
        RankLaw(3, 0.0)
    with pytest.raises(UsageError, match="between 0 and 1"):
        RankLaw(3, 1.0).quantile(1.0)
