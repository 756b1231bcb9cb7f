"""Exact variates: Kolmogorov-Smirnov and G-tests at fixed keys, Holm's correction over the family."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from simplex_cir.random.variates import (
    bessel_sample,
    exponential_sample,
    gamma_sample,
    log1p_deficit,
    log_gamma_sample,
    poisson_sample,
)

DRAWS = 30_000
SIZE = 10_000


def assert_no_rejection(p_values: list[float], level: float = 1e-3) -> None:
    """Holm's step-down test of the family."""
    ordered = np.sort(p_values)
    assert (ordered > level / np.arange(len(ordered), 0, -1)).all(), ordered


def g_test(counts: np.ndarray, cdf) -> float:
    """p-value of counts against a distribution of integers, cells of at least 10 expected draws."""
    support = np.arange(0, counts.max() + 2)
    edges, last = [], 0.0
    for value, below in zip(support, cdf(support), strict=True):
        if (below - last) * len(counts) >= 10 and (1 - below) * len(counts) >= 10:
            edges.append(value)
            last = below
    bounds = np.concatenate([[-0.5], np.asarray(edges) + 0.5, [np.inf]])
    expected = np.diff(np.concatenate([[0.0], cdf(np.asarray(edges)), [1.0]])) * len(counts)
    observed = np.histogram(counts, bounds)[0]
    return stats.power_divergence(observed, expected, lambda_="log-likelihood").pvalue


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_continuous_distributions(dtype: str) -> None:
    shapes = np.array([0.3, 1.0, 1.7, 30.0, 1e6])
    with jax.enable_x64(dtype == "float64"):
        kind, keys = jnp.dtype(dtype), jax.random.split(jax.random.key(0), 4)
        a = jnp.broadcast_to(jnp.asarray(shapes, kind), (DRAWS, 5))
        gamma = jax.jit(gamma_sample)(keys[0], a)
        logs = np.asarray(jax.jit(log_gamma_sample)(keys[1], jnp.full(DRAWS, 0.01, kind)), float)
        same = gamma_sample(keys[2], jnp.asarray(0.7, kind), shape=(DRAWS,))
        energy = exponential_sample(keys[3], (DRAWS,), kind)
        assert {x.dtype for x in (gamma, same, energy)} == {kind}
    p_values = [stats.kstest(np.asarray(gamma[:, i], float), stats.gamma(s).cdf).pvalue for i, s in enumerate(shapes)]
    # log P(G <= g) is a log g - log Gamma(a+1) to the last digit where g is tiny, and most draws are.
    uniform = np.where(logs < -30, np.exp(0.01 * logs) / special.gamma(1.01), special.gammainc(0.01, np.exp(logs)))
    p_values += [stats.kstest(uniform, "uniform").pvalue, stats.kstest(np.asarray(energy, float), "expon").pvalue]
    p_values += [stats.kstest(np.asarray(same, float), stats.gamma(0.7).cdf).pvalue]
    assert np.isfinite(logs).all()
    assert_no_rejection(p_values)


def test_counts() -> None:
    means = np.array([0.02, 0.5, 7.0, 10.0, 60.0, 1e3])
    orders = np.array([-0.9, -0.5, 0.0, 2.5, 50.0, 0.3])
    arguments = np.array([0.5, 3.0, 1.0, 20.0, 10.0, 300.0])
    mean = jnp.broadcast_to(jnp.asarray(means, jnp.float32), (SIZE, 6))
    poisson = np.asarray(poisson_sample(jax.random.key(1), mean))
    nu, z = (jnp.broadcast_to(jnp.asarray(x, jnp.float32), (SIZE, 6)) for x in (orders, arguments))
    bessel = np.asarray(bessel_sample(jax.random.key(2), nu, z))
    assert poisson.dtype == bessel.dtype == jnp.float32
    p_values = [g_test(poisson[:, i], stats.poisson(m).cdf) for i, m in enumerate(means)]
    for i, (order, argument) in enumerate(zip(orders, arguments, strict=True)):
        index = np.arange(400)
        log_p = (2 * index + order) * np.log(argument / 2) - special.gammaln(index + 1)
        log_p -= special.gammaln(index + order + 1) + np.log(special.ive(order, argument)) + argument
        cdf = np.cumsum(np.exp(log_p))
        assert cdf[-1] == pytest.approx(1)
        p_values.append(g_test(bessel[:, i], lambda value, cdf=cdf: cdf[value.astype(int)]))
    assert_no_rejection(p_values)


def test_large_arguments_in_float32() -> None:
    """Means and variances where log Gamma of a count is inaccurate in float32: within 4 standard errors."""
    large = jnp.full((SIZE, 6), 1e8)
    count = np.asarray(poisson_sample(jax.random.key(3), large), float)
    assert abs(count.mean() - 1e8) < 4 * 1e4 / count.size**0.5
    assert abs(count.var() / 1e8 - 1) < 4 * (2 / count.size) ** 0.5
    # Bessel(nu, z) has mean z R / 2 and variance close to z / 4 for large z.
    count = np.asarray(bessel_sample(jax.random.key(4), jnp.full((SIZE, 6), 0.3), large), float)
    assert abs(count.mean() - 0.5e8 + 0.4) < 4 * 5e3 / count.size**0.5
    assert abs(count.var() / 2.5e7 - 1) < 4 * (2 / count.size) ** 0.5


def test_elements_of_different_distributions_keep_their_order() -> None:
    """Rejected elements pass through a buffer: neighbours of very different scale reveal a wrong index."""
    a = jnp.tile(jnp.asarray([1.0, 1e4, 1e8]), 250_000)
    value = np.asarray(gamma_sample(jax.random.key(5), a), float) / np.asarray(a)
    # This number of draws of a = 1 reveals an acceptance that is wrong by two percent.
    assert abs(value[0::3].mean() - 1) < 8e-3
    assert abs((value[0::3] ** 2).mean() - 2) < 4 * 20**0.5 * 2e-3
    assert (value[0::3] < 20).all()
    assert (abs(value[1::3] - 1) < 0.08).all()
    assert (abs(value[2::3] - 1) < 8e-4).all()


def test_invalid_parameters_end_as_nan() -> None:
    key = jax.random.key(0)
    bad = jnp.asarray([-1.0, jnp.nan, jnp.inf, 0.0])
    assert np.isnan(gamma_sample(key, bad)[:3]).all()
    assert np.isnan(poisson_sample(key, bad)[:3]).all()
    assert gamma_sample(key, bad)[3] == poisson_sample(key, bad)[3] == 0
    counts = bessel_sample(key, jnp.asarray([-1.0, 0.5, jnp.nan, 0.3]), jnp.asarray([1.0, -1.0, 1.0, 0.0]))
    assert np.isnan(counts[:3]).all()
    assert counts[3] == 0
    assert gamma_sample(key, jnp.ones((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bessel_counts_of_tiny_arguments(dtype: str) -> None:
    with jax.enable_x64(dtype == "float64"):
        tiny = float(jnp.finfo(dtype).smallest_subnormal)
        z = jnp.asarray(np.geomspace(tiny, 1.0, 200), dtype)
        for a in (1e-3, 0.5, 1.0, 1e4):
            counts = np.asarray(bessel_sample(jax.random.key(0), jnp.asarray(a - 1, dtype), z))
            assert np.isfinite(counts).all()
            assert (counts[np.asarray(z) < 1e-6] == 0).all()
        # P(i > 0) is about z^2 / (4 a): here 0.01.
        counts = np.asarray(
            bessel_sample(jax.random.key(1), jnp.asarray(1e-3 - 1, dtype), jnp.full(SIZE, 6.4e-3, dtype))
        )
        assert abs((counts > 0).mean() - 0.0101) < 4e-3


def test_deficit_of_the_logarithm() -> None:
    with jax.enable_x64(True):
        small = jnp.asarray([-0.5, -1e-3, 1e-9, 0.3, 0.5, 1e3])
        exact = [np.log(2) - 0.5, 5.003335835334e-7, 5e-19 * (1 - 2e-9 / 3)]
        exact += [0.3 - np.log1p(0.3), 0.5 - np.log1p(0.5), 1e3 - np.log1p(1e3)]
        np.testing.assert_allclose(log1p_deficit(small), exact, rtol=3e-13)
