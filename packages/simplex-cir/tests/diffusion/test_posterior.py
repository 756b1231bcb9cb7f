"""Posterior and score against scipy's noncentral chi-squared density and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from simplex_cir.diffusion.posterior import (
    KNOWN_SNR,
    condition_on_known,
    log_evidence,
    log_posterior,
    scaled_score,
    score,
    signal_drift,
)
from simplex_cir.diffusion.priors import IndependentPrior, MarkovPrior
from simplex_cir.diffusion.snr import scale_from_snr

PRIOR = np.array([0.5, 0.3, 0.15, 0.05])
SHAPES = [0.3, 1.0, 2.5]


def coordinate_log_density(v: np.ndarray, snr: float, a: float) -> np.ndarray:
    """v = half a noncentral chi-squared variable with 2a degrees of freedom and noncentrality 2m."""
    return stats.ncx2.logpdf(2 * v, 2 * a, 2 * snr) + np.log(2) if snr else stats.gamma.logpdf(v, a)


def joint(v: np.ndarray, snr: float, a: float) -> np.ndarray:
    """log p(token k, v), naively: the token's coordinate is noncentral, all others Gamma."""
    rows = []
    for k, weight in enumerate(PRIOR):
        terms = [coordinate_log_density(v[..., i], snr if i == k else 0.0, a) for i in range(len(PRIOR))]
        rows.append(np.log(weight) + sum(terms))
    return np.stack(rows, axis=-1)


def noisy(a: float, count: int = 20) -> np.ndarray:
    return np.random.default_rng(0).gamma(a, size=(count, 4)) + np.array([3.0, 0, 0, 0])


@pytest.mark.parametrize("a", SHAPES)
@pytest.mark.parametrize("snr", [0.01, 1.0, 30.0])
def test_posterior_is_bayes_rule(a: float, snr: float) -> None:
    with jax.enable_x64(True):
        v = noisy(a)
        expected = joint(v, snr, a)
        expected -= np.log(np.exp(expected).sum(axis=-1, keepdims=True))
        got = log_posterior(jnp.log(jnp.asarray(PRIOR)), jnp.asarray(v), snr, a)
        np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("a", SHAPES)
def test_evidence_is_a_likelihood_ratio(a: float) -> None:
    with jax.enable_x64(True):
        v = noisy(a)
        expected = coordinate_log_density(v, 2.0, a) - coordinate_log_density(v, 0.0, a)
        np.testing.assert_allclose(log_evidence(jnp.asarray(v), 2.0, a), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("a", SHAPES)
@pytest.mark.parametrize("snr", [0.05, 4.0])
def test_scaled_score_is_the_derivative_of_the_marginal(a: float, snr: float) -> None:
    with jax.enable_x64(True):
        v = noisy(a, 5) + 0.1
        marginal = lambda v: np.log(np.exp(joint(v, snr, a)).sum(axis=-1))  # noqa: E731
        probabilities = jnp.exp(log_posterior(jnp.log(jnp.asarray(PRIOR)), jnp.asarray(v), snr, a))
        got = scaled_score(probabilities, jnp.asarray(v), snr, a)
        for i in range(4):
            step = 1e-5 * np.eye(4)[i]
            slope = (marginal(v + step) - marginal(v - step)) / 2e-5
            np.testing.assert_allclose(got[:, i], v[:, i] * slope, rtol=1e-5, atol=1e-6)


def test_score_in_the_papers_coordinates() -> None:
    with jax.enable_x64(True):
        y, snr, mass, a = np.array([[0.4, 1.7]]), 0.8, 2.0, 1.3
        c = float(scale_from_snr(snr, mass))
        token = jnp.array([[1.0, 0.0]])
        density = lambda y: coordinate_log_density(c * y, snr, a)  # noqa: E731
        got = score(token, jnp.asarray(y), snr, a, mass)
        slope = (density(y[:, 0] + 1e-6) - density(y[:, 0] - 1e-6)) / 2e-6
        np.testing.assert_allclose(got[:, 0], slope, rtol=1e-6)
        np.testing.assert_allclose(got[:, 1], (a - 1) / y[:, 1] - c, rtol=1e-12)


def test_nothing_diverges_at_zero() -> None:
    v = jnp.zeros((1, 3))
    for a in (0.2, 1.0, 5.0):
        np.testing.assert_allclose(scaled_score(jnp.full((1, 3), 1 / 3), v, 10.0, a), a - 1, atol=1e-6)
        gradient = jax.grad(lambda v, a=a: signal_drift(v, 10.0, a).sum())(v + 1e-12)
        assert bool(jnp.isfinite(gradient).all())


def test_an_snr_for_each_sequence() -> None:
    v = jnp.asarray(noisy(1.0, 6), jnp.float32).reshape(2, 3, 4)
    snrs = jnp.array([0.5, 7.0])
    got = log_evidence(v, snrs)
    for row in range(2):
        np.testing.assert_allclose(got[row], log_evidence(v[row], snrs[row]), rtol=1e-6)


@pytest.mark.parametrize("a", [0.05, 1.0, 1000.0])
def test_a_known_token_is_certain_at_any_snr_of_the_others(a: float) -> None:
    v = jnp.asarray(noisy(1.0, 6), jnp.float32).reshape(2, 3, 4)
    tokens, known = jnp.array([2, 0, 3]), jnp.array([True, False, True])
    vectors, snrs = condition_on_known(tokens, known, v, 1e-2, a)
    np.testing.assert_array_equal(vectors[:, 1], v[:, 1])
    np.testing.assert_allclose(snrs, np.tile([KNOWN_SNR, 1e-2, KNOWN_SNR], (2, 1)), rtol=1e-6)
    evidence = log_evidence(vectors, snrs, a)
    for position, token in ((0, 2), (2, 3)):
        others = np.delete(evidence[:, position], token, axis=1)
        assert (np.asarray(evidence[:, position, token])[:, None] - others > KNOWN_SNR).all()


def test_infinite_snr_is_the_token() -> None:
    """In the limit only the largest entry matters, whatever the prior; finite levels beside it are as before."""
    v = jnp.array([[1.0, jnp.inf, 2.0, 0.3], [1.0, 4.0, 2.0, 0.3]])
    log_probabilities = log_posterior(jnp.log(PRIOR), v, jnp.array([jnp.inf, 3.0]))
    np.testing.assert_array_equal(log_probabilities[0], [-np.inf, 0, -np.inf, -np.inf])
    np.testing.assert_array_equal(log_probabilities[1], log_posterior(jnp.log(PRIOR), v[1], 3.0))
    near = log_posterior(jnp.log(PRIOR), v[1], 1e6)
    np.testing.assert_array_equal(jnp.exp(near), jnp.exp(log_posterior(jnp.log(PRIOR), v[1], jnp.inf)))
    for prior in (IndependentPrior(PRIOR), MarkovPrior(PRIOR, np.tile(PRIOR, (4, 1)))):
        assert np.exp(prior(v[:1], jnp.inf)).tolist() == [[0, 1, 0, 0]]


def test_second_derivatives_at_zero() -> None:
    """log 0F1(; a; m v) = m v / a - (m v)^2 / (2 a^2 (a + 1)) + ..."""
    for a in (0.3, 1.0):
        second = jax.hessian(lambda v, a=a: log_evidence(v, 2.0, a).sum())(jnp.zeros(2))
        np.testing.assert_allclose(second, np.eye(2) * -4 / (a**2 * (a + 1)), rtol=1e-5)
