"""The ancestral sampler against the prior itself; the SDE schemes against closed moments and the paper's own form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError
from scipy import stats

from simplex_cir.posterior import log_posterior, scaled_score
from simplex_cir.priors import IndependentPrior, TablePrior
from simplex_cir.reverse import (
    SCHEMES,
    ancestral,
    ancestral_step,
    noise,
    paper_drift,
    paper_drift_from_probabilities,
    reverse_drift,
    reverse_sde,
)
from simplex_cir.snr import scale_from_snr, snr_grid

PRIOR = np.array([0.6, 0.25, 0.1, 0.05])


def g_test(tokens: np.ndarray) -> float:
    counts = np.bincount(tokens, minlength=len(PRIOR))
    return float(stats.power_divergence(counts, PRIOR * len(tokens), lambda_="log-likelihood").pvalue)


@pytest.mark.parametrize("a", [0.5, 1.0, 3.0])
def test_ancestral_sampling_is_exact_for_any_number_of_steps(a: float) -> None:
    prior = IndependentPrior(PRIOR, a)
    start = noise(jax.random.key(0), (20_000, 4), a)
    for steps in (1, 3, 16):
        tokens, _ = ancestral(jax.random.key(steps), prior, start, snr_grid(steps, lowest=1e-3, highest=80.0), a)
        assert g_test(np.asarray(tokens)) > 1e-3, steps


def test_ancestral_step_reaches_the_forward_marginal() -> None:
    # The token's coordinate at the higher SNR is Gamma(a + Poisson(m)), whatever happened below.
    a, low, high = 1.3, 0.4, 6.0
    generator = np.random.default_rng(3)
    v = generator.gamma(a, size=(50_000, 2))
    v[:, 0] = generator.gamma(a + generator.poisson(low, 50_000))
    tokens = jnp.zeros(50_000, jnp.int32)
    after = ancestral_step(jax.random.key(4), tokens, jnp.asarray(v, jnp.float32), low, high, a)
    assert stats.kstest(np.asarray(after[:, 0]) * 2, stats.ncx2(2 * a, 2 * high).cdf).pvalue > 1e-3
    assert stats.kstest(np.asarray(after[:, 1]), stats.gamma(a).cdf).pvalue > 1e-3


def test_temperature_sharpens() -> None:
    start = noise(jax.random.key(0), (4_000, 4))
    grid = snr_grid(8, highest=60.0)
    cold, _ = ancestral(jax.random.key(1), IndependentPrior(PRIOR), start, grid, temperature=0.5)
    assert float((cold == 0).mean()) > PRIOR[0] + 0.05


def test_drift_is_the_papers_in_other_coordinates() -> None:
    with jax.enable_x64(True):
        a, snr, mass = 0.7, 2.3, 1.9
        c = float(scale_from_snr(snr, mass))
        v = jnp.asarray(np.random.default_rng(5).gamma(1.5, size=(6, 4)))
        probabilities = jnp.exp(log_posterior(jnp.log(jnp.asarray(PRIOR)), v, snr, a))
        y = v / c
        drift = paper_drift(y, scaled_score(probabilities, v, snr, a), a)
        np.testing.assert_allclose(drift, paper_drift_from_probabilities(probabilities, y, snr, a, mass))
        # v = c y, dc/dt' = c (c - 1) in reversed time t' with b = 1, and d log m = c dt'
        np.testing.assert_allclose((c * drift + v * (c - 1)) / c, reverse_drift(probabilities, v, snr, a), rtol=1e-10)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes_have_the_process_moments(scheme: str) -> None:
    # Without a drive the reverse SDE is CIR itself: mean a + e^-h (v - a), variance of eq. 6.
    a, h, count = 2.0, 0.02, 400_000
    start = jnp.full((count,), 1.5)
    after = np.asarray(SCHEMES[scheme](jax.random.key(6), start, jnp.zeros(count), a, h))
    kappa = np.exp(-h)
    variance = 2 * 1.5 * (kappa - kappa**2) + a * (1 - kappa) ** 2
    assert after.mean() == pytest.approx(a + kappa * (1.5 - a), abs=4 * np.sqrt(variance / count) + 2e-3)
    assert after.var() == pytest.approx(variance, rel=3 * h)  # all are of first order in h, in law
    assert (after >= 0).all()


@pytest.mark.parametrize("scheme", ["euler-reflected", "milstein", "implicit-root", "quadratic-exponential"])
def test_reverse_sde_returns_the_prior(scheme: str) -> None:
    prior = IndependentPrior(PRIOR)
    start = noise(jax.random.key(7), (10_000, 4))
    tokens, _ = reverse_sde(jax.random.key(8), prior, start, snr_grid(256, highest=60.0), scheme=scheme)
    shares = np.bincount(np.asarray(tokens), minlength=4) / 10_000
    assert 0.5 * np.abs(shares - PRIOR).sum() < 0.03


def test_factorised_steps_approach_a_joint_law() -> None:
    # Two positions that always agree: one step draws them independently, many steps do not.
    prior = TablePrior(np.array([[0, 0], [1, 1]]), 2)
    start = noise(jax.random.key(9), (4_000, 2, 2))
    agree = []
    for steps in (1, 64):
        tokens, _ = ancestral(jax.random.key(10), prior, start, snr_grid(steps, highest=80.0))
        agree.append(float((tokens[:, 0] == tokens[:, 1]).mean()))
    assert agree[1] > 0.97 >= agree[0]


def test_unknown_scheme() -> None:
    with pytest.raises(UsageError, match="milstein"):
        reverse_sde(jax.random.key(0), IndependentPrior(PRIOR), jnp.ones((1, 4)), snr_grid(2), scheme="milstien")
