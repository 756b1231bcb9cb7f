"""The rank law against ranks counted among drawn vectors, and its closed mean."""

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
def test_law_is_that_of_counted_ranks(n: int, snr: float, a: float) -> None:
    law, ranks = RankLaw(n, snr, a), counted(n, snr, a, 100_000)
    assert law.mean() == pytest.approx(ranks.mean(), abs=4 * ranks.std() / np.sqrt(len(ranks)))
    grid = np.arange(1, n + 1)
    shares = (ranks[:, None] <= grid).mean(axis=0)
    np.testing.assert_allclose(law.cdf(grid), shares, atol=4 * 0.5 / np.sqrt(len(ranks)))
    assert law.first() == pytest.approx(shares[0], abs=4 * 0.5 / np.sqrt(len(ranks)))
    assert law.cdf(n) == pytest.approx(1)


def test_mean_has_a_closed_form_for_exponentials() -> None:
    for n, snr in ((1000, 10.0), (32_000, 20.0)):
        law = RankLaw(n, snr)
        weights, above = law._mixture()
        assert 1 + (n - 1) * float(weights @ above) == pytest.approx(law.mean(), rel=1e-9)


def test_quantiles_invert_the_distribution() -> None:
    law = RankLaw(32_000, 20.0)
    for probability in (0.5, 0.99, 0.999):
        rank = law.quantile(probability)
        assert law.cdf(rank) >= probability
        assert rank == 1 or law.cdf(rank - 1) < probability


def test_samples_follow_the_law() -> None:
    law = RankLaw(200, 3.0, 0.7)
    ranks = law.sample(np.random.default_rng(1), 100_000)
    assert ranks.mean() == pytest.approx(law.mean(), abs=4 * ranks.std() / np.sqrt(len(ranks)))


def test_bad_arguments() -> None:
    with pytest.raises(UsageError, match="expected at least 2"):
        RankLaw(1, 1.0)
    with pytest.raises(UsageError, match="snr"):
        RankLaw(3, 0.0)
    with pytest.raises(UsageError, match="between 0 and 1"):
        RankLaw(3, 1.0).quantile(1.0)
