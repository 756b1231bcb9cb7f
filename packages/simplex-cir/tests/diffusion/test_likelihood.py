"""The bound with the exact posterior is the prior's entropy; with a wrong one it is larger."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simplex_cir.diffusion.likelihood import bound, fitted_snr_distribution, integrand
from simplex_cir.diffusion.priors import IndependentPrior, MarkovPrior
from simplex_cir.diffusion.snr_sampling import SnrDistribution

PRIOR = np.array([0.5, 0.3, 0.15, 0.05])


def estimate(denoiser, tokens, n: int, a: float = 1.0) -> tuple[float, float]:
    run = jax.jit(lambda key: bound(key, denoiser, tokens, n, a, points=64).total)
    totals = np.asarray(run(jax.random.key(0)))
    return float(totals.mean()), float(totals.std() / np.sqrt(len(totals)))


@pytest.mark.parametrize("a", [0.5, 1.0])
def test_exact_posterior_gives_the_entropy(a: float) -> None:
    prior = IndependentPrior(PRIOR, a)
    tokens = prior.sample(jax.random.key(1), (2_000, 1))
    mean, error = estimate(prior, tokens, 4, a)
    assert abs(mean - prior.entropy()) < 4 * error + 2e-3
    assert error < 0.03


def test_a_wrong_prior_adds_its_divergence() -> None:
    true, wrong = IndependentPrior(PRIOR), IndependentPrior(PRIOR[::-1].copy())
    tokens = true.sample(jax.random.key(2), (4_000, 1))
    divergence = float((PRIOR * np.log(PRIOR / PRIOR[::-1])).sum())
    mean, error = estimate(wrong, tokens, 4)
    assert abs(mean - true.entropy() - divergence) < 4 * error + 2e-3


def test_bound_of_a_chain_is_its_entropy() -> None:
    chain = MarkovPrior(np.array([0.9, 0.1]), np.array([[0.9, 0.1], [0.4, 0.6]]))
    tokens = chain.sample(jax.random.key(3), 3_000, 5)
    mean, error = estimate(chain, tokens, 2)
    assert abs(mean - chain.entropy(5)) < 4 * error + 3e-3


def test_parts_and_strata() -> None:
    prior = IndependentPrior(PRIOR)
    tokens = prior.sample(jax.random.key(4), (500, 3))
    parts = jax.jit(lambda key: bound(key, prior, tokens, 4, points=32))(jax.random.key(5))
    np.testing.assert_allclose(parts.total, parts.prior + parts.diffusion + parts.reconstruction)
    assert float(jnp.abs(parts.prior).max()) < 0.05
    assert float(parts.reconstruction.mean()) < 1e-3
    assert parts.total.shape == (500,)


def test_integrand_vanishes_for_a_certain_and_correct_denoiser() -> None:
    sure = jnp.log(jnp.eye(3)[jnp.array([[1]])] + 1e-30)
    v = jnp.ones((1, 1, 3))
    assert float(integrand(sure, jnp.array([[1]]), v, 2.0)[0, 0]) == pytest.approx(0, abs=1e-12)
    assert float(integrand(sure, jnp.array([[0]]), v, 2.0)[0, 0]) > 0.1


@pytest.mark.slow
def test_every_snr_distribution_gives_the_entropy_and_a_fitted_one_less_variance() -> None:
    prior = IndependentPrior(PRIOR)
    tokens = prior.sample(jax.random.key(4), (6_000, 1))
    suited = fitted_snr_distribution(jax.random.key(5), prior, tokens[:500], 4)
    distributions = {"even": SnrDistribution.even(1e-3, 60.0), "logistic": None, "fitted": suited}
    spread = {}
    for name, distribution in distributions.items():
        run = jax.jit(
            lambda key, distribution=distribution: (
                bound(key, prior, tokens, 4, points=8, snr_distribution=distribution).total
            )
        )
        totals = np.stack([np.asarray(run(jax.random.key(seed))) for seed in range(3)])
        error = totals.std() / np.sqrt(totals.size)
        assert abs(totals.mean() - prior.entropy()) < 4 * error + 2e-3, name
        spread[name] = totals.var(axis=0, ddof=1).mean()  # of the estimator, not of the sequences
    assert spread["fitted"] < spread["logistic"] < 0.6 * spread["even"]
