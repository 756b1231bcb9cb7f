"""The density, distribution function and quantile of Gamma(a + N) against mpmath and scipy."""

from functools import partial

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy import integrate, stats

from simplex_cir.process.noncentral_gamma import (
    noncentral_gamma_cdf,
    noncentral_gamma_log_prob,
    noncentral_gamma_quantile,
    noncentral_gamma_sample,
    noncentral_gamma_scores,
)

CASES = [
    (a, p, p + a + s * np.sqrt(2 * p + a))
    for a in (0.05, 0.5, 1.0, 1.5, 10.0, 300.0)
    for p in (0.0, 1e-6, 0.4, 30.0, 500.0)
    for s in (-3.0, -0.9, 0.0, 2.0, 8.0)
    if p + a + s * np.sqrt(2 * p + a) > 0
]


def exact_log_prob(value: float, a: float, mean_count: float) -> mp.mpf:
    value, a, mean_count = mp.mpf(value), mp.mpf(a), mp.mpf(mean_count)
    series = mp.hyp0f1(a, mean_count * value)
    return (a - 1) * mp.log(value) - value - mean_count - mp.loggamma(a) + mp.log(series)


@pytest.mark.parametrize(("dtype", "limit"), [("float64", 12), ("float32", 12)])
def test_log_density_at_50_digits(dtype: str, limit: float) -> None:
    """Error in ulp of 1 + |value| + condition numbers; terms of the size of the exponents do not cancel."""
    with jax.enable_x64(dtype == "float64"), mp.workdps(50):
        a, mean_count, value = (jnp.asarray(column, dtype) for column in zip(*CASES, strict=True))
        got = np.asarray(noncentral_gamma_log_prob(value, a, mean_count), float)
        for row in range(len(CASES)):
            v, shape, p = float(value[row]), float(a[row]), float(mean_count[row])
            exact = exact_log_prob(v, shape, p)
            z = 2 * mp.sqrt(mp.mpf(p) * v)
            slope = 2 * mp.hyp0f1(shape + 1, z**2 / 4) / (shape * mp.hyp0f1(shape, z**2 / 4)) / 2
            condition = abs(shape - 1 - v + p * v * slope) + abs(p * (v * slope - 1))
            # In a: the density of Gamma(a) around its mean moves by log(V / a).
            condition += shape * abs(mp.log(v) - mp.digamma(shape + p))
            error = abs(got[row] - exact) / (1 + abs(exact) + condition) / float(jnp.finfo(dtype).eps)
            assert error < limit, (shape, p, v, got[row], float(exact), float(error))


def test_large_arguments_beyond_scipy() -> None:
    """P = V = 1e12: the exponents are 4e12, the logarithm is -14.7."""
    with jax.enable_x64(True), mp.workdps(60):
        value, a, mean_count = (jnp.asarray([x]) for x in (1e12 + 1e6, 0.7, 1e12))
        got = float(noncentral_gamma_log_prob(value, a, mean_count)[0])
        square = (mp.sqrt(mp.mpf(1e12 + 1e6)) - mp.mpf(1e6)) ** 2
        exact = -square - mp.log(4 * mp.pi) / 2 - mp.log(mp.mpf(1e12)) / 2
        assert got == pytest.approx(float(exact), abs=1e-6)


def test_gradients_are_scores_and_a_difference() -> None:
    with jax.enable_x64(True):
        a, mean_count, value = (jnp.asarray(column) for column in zip(*CASES, strict=True))
        in_value, in_mean_count = noncentral_gamma_scores(value, a, mean_count, value - mean_count)
        gradients = jax.jit(jax.grad(lambda *x: noncentral_gamma_log_prob(*x).sum(), (0, 1, 2)))(value, a, mean_count)
        np.testing.assert_allclose(gradients[0], in_value, rtol=1e-13)
        np.testing.assert_allclose(gradients[2], in_mean_count, rtol=1e-13)
        with mp.workdps(40):
            for row, (shape, p, v) in enumerate(CASES):
                if p > 100:
                    continue
                pieces = (
                    (gradients[0], mp.diff(partial(exact_log_prob, a=shape, mean_count=p), v)),
                    (gradients[1], mp.diff(partial(exact_log_prob, v, mean_count=p), shape)),
                )
                for got, exact in pieces:
                    assert float(got[row]) == pytest.approx(float(exact), rel=1e-11, abs=1e-12), (shape, p, v)


def test_boundary_values_and_gradients_are_numbers() -> None:
    zero = jnp.zeros(3)
    a = jnp.asarray([0.5, 1.0, 2.0])
    assert noncentral_gamma_log_prob(zero, a, zero).tolist() == [np.inf, 0.0, -np.inf]
    below, at, above = noncentral_gamma_log_prob(zero, a, jnp.full(3, 2.0))
    assert (float(below), float(above)) == (np.inf, -np.inf)
    assert float(at) == pytest.approx(-2.0)
    in_value, in_mean_count = noncentral_gamma_scores(zero, a, jnp.full(3, 2.0), jnp.full(3, -2.0))
    assert in_value.tolist() == [-np.inf, 1.0, np.inf]
    assert in_mean_count.tolist() == [-1.0, -1.0, -1.0]
    gradient = jax.grad(lambda a, p: noncentral_gamma_log_prob(jnp.asarray(0.3), a, p), (0, 1))
    for shape in (0.5, 1.0, 2.0):
        in_a, in_p = gradient(jnp.asarray(shape), jnp.asarray(0.0))
        assert float(in_a) == pytest.approx(np.log(0.3) - float(mp.digamma(shape)), rel=1e-5)
        assert float(in_p) == pytest.approx(0.3 / shape - 1, rel=1e-5)


@pytest.mark.parametrize(("dtype", "limit"), [("float64", 2e-13), ("float32", 8e-6)])
def test_cdf_and_quantile_against_scipy(dtype: str, limit: float) -> None:
    cases = [case for case in CASES if case[1] != 1e-6] + [
        (1.0, 1e5, 1e5 + 300.0),
        (0.05, 39.9, 20.0),
        (1e4, 2.0, 9.9e3),
    ]
    with jax.enable_x64(dtype == "float64"):
        a, mean_count, value = (jnp.asarray(column, dtype) for column in zip(*cases, strict=True))
        columns = [np.asarray(x, float) for x in (value, a, mean_count)]
        cdf = jax.jit(noncentral_gamma_cdf)(value, a, mean_count)
        expected = np.where(
            columns[2] > 0,
            stats.ncx2.cdf(2 * columns[0], 2 * columns[1], 2 * columns[2]),
            stats.gamma.cdf(*columns[:2]),
        )
        np.testing.assert_allclose(cdf, expected, atol=limit)
        p = jnp.asarray(np.linspace(0.001, 0.999, len(cases)), dtype)
        quantile = jax.jit(noncentral_gamma_quantile)(p, a, mean_count)
        normal = quantile > 1e-36
        assert normal.sum() > 100
        np.testing.assert_allclose(noncentral_gamma_cdf(quantile, a, mean_count)[normal], p[normal], atol=4 * limit)
        tail = noncentral_gamma_quantile(jnp.full_like(p, 1e-12), a, mean_count)
        reached = noncentral_gamma_cdf(tail, a, mean_count)[tail > 1e-36]
        np.testing.assert_allclose(reached, 1e-12, rtol=1e-4 if dtype == "float64" else 1e-2)


def test_cdf_is_the_integral_of_the_density() -> None:
    with jax.enable_x64(True):
        for a, p, low, high in ((0.5, 39.0, 20.0, 50.0), (0.5, 41.0, 20.0, 50.0), (2.0, 1.0, 0.5, 4.0)):
            args = (jnp.asarray(a), jnp.asarray(p))
            density = jax.jit(lambda v, args=args: jnp.exp(noncentral_gamma_log_prob(v, *args)))
            mass = integrate.quad(lambda v, density=density: float(density(v)), low, high, epsabs=1e-13)[0]
            got = noncentral_gamma_cdf(jnp.asarray(high), *args) - noncentral_gamma_cdf(jnp.asarray(low), *args)
            assert float(got) == pytest.approx(mass, abs=1e-12)


def test_derivatives_of_cdf_and_quantile() -> None:
    """In P the derivative of the distribution function is minus the density of shape a + 1."""
    with jax.enable_x64(True):
        slopes = jax.jit(jax.grad(noncentral_gamma_cdf, (0, 2)))
        quantile_slopes = jax.jit(jax.grad(noncentral_gamma_quantile, (0, 2)))
        for a, p, v in ((1.3, 2.0, 2.5), (1.3, 200.0, 190.0)):
            value, shape, mean_count = (jnp.asarray(x) for x in (v, a, p))
            in_value, in_p = slopes(value, shape, mean_count)
            density = float(jnp.exp(noncentral_gamma_log_prob(value, shape, mean_count)))
            above = float(jnp.exp(noncentral_gamma_log_prob(value, shape + 1, mean_count)))
            assert float(in_value) == pytest.approx(density, rel=1e-10)
            assert float(in_p) == pytest.approx(-above, rel=1e-10)
            cdf = noncentral_gamma_cdf(value, shape, mean_count)
            in_cdf, quantile_in_p = quantile_slopes(cdf, shape, mean_count)
            assert float(in_cdf) == pytest.approx(1 / density, rel=1e-8)
            assert float(quantile_in_p) == pytest.approx(above / density, rel=1e-8)


def test_quantile_outside_and_underflowing() -> None:
    p = jnp.full(109, 1e-3).at[:4].set(jnp.asarray([0.0, 1.0, -0.1, jnp.nan]))
    quantile = noncentral_gamma_quantile(p, jnp.full(109, 0.01), jnp.zeros(109))
    assert quantile[:2].tolist() == [0, np.inf]
    assert np.isnan(quantile[2:4]).all()
    assert quantile[4] < 1e-36


@pytest.mark.parametrize(
    ("route", "a"),
    [("exponential", 1.0), ("square", 0.5), ("normal", 0.7), ("above", 2.2), ("poisson", 0.2)],
)
def test_every_method_draws_the_distribution(route: str, a: float) -> None:
    signal, noise = 0.9, 0.4
    with jax.enable_x64(True):
        arrays = [jnp.full(12_000, x) for x in (a, signal, noise)]
        numbers = [jnp.asarray(x) for x in (a, signal, noise)]
        law = stats.ncx2(2 * a, 2 * signal / noise, scale=noise / 2)
        for seed, arguments in ((7, arrays), (8, numbers)):
            value = noncentral_gamma_sample(jax.random.key(seed), *arguments, shape=(12_000,), route=route)
            assert stats.kstest(np.asarray(value), law.cdf).pvalue > 1e-3
