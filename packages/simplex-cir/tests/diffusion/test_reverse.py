"""The ancestral sampler against the prior itself; the SDE schemes against closed moments and the paper's own form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError
from scipy import stats

from simplex_cir.diffusion.posterior import log_posterior, scaled_score
from simplex_cir.diffusion.priors import IndependentPrior, TablePrior
from simplex_cir.diffusion.reverse import (
    SCHEMES,
    ancestral,
    ancestral_step,
    noise,
    paper_drift,
    reverse_drift,
    reverse_sde,
)
from simplex_cir.diffusion.snr import scale_from_snr, snr_grid

PRIOR = np.array([0.6, 0.25, 0.1, 0.05])


COUNT, MOST_STEPS = 4_000, 8


@jax.jit
def run_ancestral(key: jax.Array, a: jax.Array, temperature: jax.Array, snrs: jax.Array) -> jax.Array:
    """One compilation for all shapes and numbers of steps."""
    start_key, key = jax.random.split(key)
    return ancestral(key, IndependentPrior(PRIOR, a), noise(start_key, (COUNT, 4), a), snrs, a, temperature=temperature)


def padded(steps: int) -> np.ndarray:
    """A grid of `MOST_STEPS` steps, of which all but the first `steps` have length 0."""
    grid = snr_grid(steps, lowest=1e-3, highest=80.0)
    return np.concatenate([grid, np.full(MOST_STEPS - steps, grid[-1])])


def test_ancestral_sampling_is_exact_for_any_number_of_steps() -> None:
    """G-tests of 4,000 draws each, at 1e-3 over all by Bonferroni."""
    cases = [(a, steps) for a in (0.5, 1.0, 3.0) for steps in (1, 8)]
    for index, (a, steps) in enumerate(cases):
        tokens, _ = run_ancestral(jax.random.key(index), a, 1.0, padded(steps))
        counts = np.bincount(tokens, minlength=4)
        p_value = stats.power_divergence(counts, PRIOR * COUNT, lambda_="log-likelihood").pvalue
        assert p_value > 1e-3 / len(cases), (a, steps)


def test_ancestral_step_reaches_the_forward_marginal() -> None:
    # The token's coordinate at the higher SNR is Gamma(a + Poisson(m)), for any distribution at the lower one.
    a, low, high = 1.3, 0.4, 6.0
    generator = np.random.default_rng(3)
    v = generator.gamma(a, size=(12_000, 2))
    v[:, 0] = generator.gamma(a + generator.poisson(low, 12_000))
    tokens = jnp.zeros(12_000, jnp.int32)
    after = jax.jit(ancestral_step)(jax.random.key(4), tokens, jnp.asarray(v, jnp.float32), low, high, a)
    assert stats.kstest(np.asarray(after[:, 0]) * 2, stats.ncx2(2 * a, 2 * high).cdf).pvalue > 1e-3
    assert stats.kstest(np.asarray(after[:, 1]), stats.gamma(a).cdf).pvalue > 1e-3


def test_temperature_sharpens() -> None:
    """In one step from an SNR of 1e-3, where tokens are unknown, the distribution is that of squared probabilities."""
    cold, _ = run_ancestral(jax.random.key(1), 1.0, 0.5, padded(1))
    squared = PRIOR[0] ** 2 / (PRIOR**2).sum()
    assert float((cold == 0).mean()) == pytest.approx(squared, abs=4 * (squared * (1 - squared) / COUNT) ** 0.5 + 1e-3)


def test_drift_is_the_papers_in_other_coordinates() -> None:
    with jax.enable_x64(True):
        a, snr, mass = 0.7, 2.3, 1.9
        c = float(scale_from_snr(snr, mass))
        v = jnp.asarray(np.random.default_rng(5).gamma(1.5, size=(6, 4)))
        probabilities = jnp.exp(log_posterior(jnp.log(jnp.asarray(PRIOR)), v, snr, a))
        y = v / c
        drift = paper_drift(y, scaled_score(probabilities, v, snr, a), a)
        # v = c y, dc/dt' = c (c - 1) in reversed time t' with b = 1, and d log m = c dt'
        np.testing.assert_allclose((c * drift + v * (c - 1)) / c, reverse_drift(probabilities, v, snr, a), rtol=1e-10)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes_have_the_process_moments(scheme: str) -> None:
    # Without added drift the reverse SDE is CIR: mean a + e^-h (v - a), variance as in the paper's eq. 6.
    a, h, count = 2.0, 0.02, 100_000
    start = jnp.full((count,), 1.5)
    after = np.asarray(jax.jit(SCHEMES[scheme])(jax.random.key(6), start, jnp.zeros(count), a, h))
    kappa = np.exp(-h)
    variance = 2 * 1.5 * (kappa - kappa**2) + a * (1 - kappa) ** 2
    assert after.mean() == pytest.approx(a + kappa * (1.5 - a), abs=4 * np.sqrt(variance / count) + 2e-3)
    assert after.var() == pytest.approx(variance, rel=3 * h)  # all have weak order 1
    assert (after >= 0).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes_use_the_added_drift(scheme: str) -> None:
    # From v = 1.5 with a = 2 and an added drift of 0.7 the mean grows by 1.2 h, to first order in h.
    h, count = 0.02, 100_000
    start = jnp.full((count,), 1.5)
    after = np.asarray(jax.jit(SCHEMES[scheme])(jax.random.key(7), start, jnp.full(count, 0.7), 2.0, h), float)
    assert (after.mean() - 1.5) / h == pytest.approx(1.2, abs=4 * np.sqrt(2 * 1.5 / h / count) + 3 * h)


def test_factorised_steps_approach_the_joint_distribution() -> None:
    """Two positions that always agree: a single step draws them independently, many steps do not.

    The most probable tokens at the end agree in any case; the tokens drawn in the last step are read from the vectors,
    in which at SNR 80 a drawn token is the largest coordinate except with probability exp(-40) / 2.
    """
    prior = TablePrior(np.array([[0, 0], [1, 1]]), 2)
    run = jax.jit(lambda key, v, snrs: ancestral(key, prior, v, snrs)[1])
    start = noise(jax.random.key(9), (2_000, 2, 2))
    agree = {}
    for steps in (1, 4, 32):
        grid = snr_grid(steps, lowest=1e-3, highest=80.0)
        v = run(jax.random.key(10), start, np.concatenate([grid, np.full(32 - steps, grid[-1])]))
        drawn = np.asarray(v.argmax(axis=-1))
        agree[steps] = (drawn[:, 0] == drawn[:, 1]).mean()
    margin = 4 * 0.5 / 2_000**0.5  # four standard errors of a frequency, at most
    assert agree[1] == pytest.approx(0.5, abs=margin)
    assert agree[1] + margin < agree[4] < agree[32] - margin


def test_unknown_scheme() -> None:
    with pytest.raises(UsageError, match="milstein"):
        reverse_sde(jax.random.key(0), IndependentPrior(PRIOR), jnp.ones((1, 4)), snr_grid(2), scheme="milstien")
