import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError
from scipy import stats

from simplex_cir.diffusion.snr_sampling import SnrDistribution

DISTRIBUTIONS = {
    "even": SnrDistribution.even(1e-3, 60.0),
    "logistic": SnrDistribution.logistic(1e-3, 60.0, centre=2.8, scale=0.8),
    "fitted": SnrDistribution.fitted(
        x := np.linspace(np.log(1e-3), np.log(60.0), 400), np.exp(-((x - 1.0) ** 2)), 1e-3, 60.0
    ),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_quantiles_have_the_density(name: str) -> None:
    distribution = DISTRIBUTIONS[name]
    # by a sum over many more points than bins
    grid = np.linspace(distribution.edges[0], distribution.edges[-1], 64_001)
    middle = (grid[:-1] + grid[1:]) / 2
    assert float(distribution.density(jnp.asarray(middle)).mean()) * (grid[-1] - grid[0]) == pytest.approx(1, rel=1e-4)
    ends = np.concatenate([[0], np.cumsum(distribution.masses)])
    drawn = np.asarray(distribution.quantile(jax.random.uniform(jax.random.key(0), (20_000,))))
    assert stats.kstest(drawn, lambda t: np.interp(t, distribution.edges, ends)).pvalue > 1e-3


def test_a_logistic_bell_is_that_of_scipy() -> None:
    distribution = DISTRIBUTIONS["logistic"]
    centre = np.log(2.8)
    bell = stats.logistic(centre, 0.8)
    inside = bell.cdf(distribution.edges[-1]) - bell.cdf(distribution.edges[0])
    middle = (distribution.edges[:-1] + distribution.edges[1:]) / 2
    expected = 0.9 * bell.pdf(middle) / inside + 0.1 / (distribution.edges[-1] - distribution.edges[0])
    np.testing.assert_allclose(distribution.density(jnp.asarray(middle)), expected, rtol=0.01)


def test_a_histogram_has_the_root_mean_square_of_its_values() -> None:
    edges = SnrDistribution.fitted(np.linspace(np.log(0.1), np.log(10), 160), np.ones(160), 0.1, 10.0).edges
    middle = (edges[:-1] + edges[1:]) / 2
    looks, values = np.repeat(middle, 2), np.tile([3.0, 4.0], len(middle))
    values[:2] = 0.0
    distribution = SnrDistribution.fitted(looks, values, 0.1, 10.0)
    bins = len(middle)
    np.testing.assert_allclose(distribution.masses[0], 0.1 / bins)
    np.testing.assert_allclose(distribution.masses[1:], 0.9 / (bins - 1) + 0.1 / bins)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SnrDistribution(np.array([0.0, 1.0]), np.array([1.0, 1.0])), "one more than masses"),
        (lambda: SnrDistribution(np.array([0.0, 1.0]), np.array([0.0])), "finite numbers > 0"),
        (lambda: SnrDistribution.even(2.0, 1.0), "increasing range"),
        (lambda: SnrDistribution.logistic(0.1, 1.0, centre=-1.0), "centre"),
        (lambda: SnrDistribution.fitted(np.zeros(3), np.ones(3), 0.1, 10.0), "15 of 16 bins have no value"),
    ],
)
def test_bad_distributions(make, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()
