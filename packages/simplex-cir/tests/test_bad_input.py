"""Invalid arguments raise a `UsageError` of one line that names the value; limiting values are valid."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError

from simplex_cir.config import ModelConfig, OracleConfig
from simplex_cir.diffusion.likelihood import bound
from simplex_cir.diffusion.posterior import log_posterior
from simplex_cir.diffusion.priors import IndependentPrior, MarkovPrior, TablePrior
from simplex_cir.diffusion.probability_flow import log_density, probability_flow
from simplex_cir.diffusion.reverse import ancestral, noise, reverse_sde
from simplex_cir.diffusion.snr import snr_grid
from simplex_cir.diffusion.snr_sampling import SnrDistribution
from simplex_cir.process.bridge import bridge_sample
from simplex_cir.process.cir import (
    CIR,
    dirichlet_sample,
    noise_tokens,
    stationary_sample,
    transition_log_prob,
    transition_mean,
    transition_sample,
)
from simplex_cir.process.schemes import simulate
from simplex_cir.process.squared_ou import squared_ou_sample
from simplex_cir.sampling import clamped, draw

KEY = jax.random.key(0)
PRIOR = IndependentPrior(np.array([0.5, 0.5]))
VECTORS = jnp.ones((3, 2))
HALF = jnp.ones(3, jnp.float16)
HALVES = np.array([0.5, 0.5])
VECTOR_PRIOR = IndependentPrior(HALVES, np.array([0.5, 2.0]))


def token(value: Any, n: int = 4, a: Any = 1.0, m: Any = 1.0) -> jax.Array:
    return noise_tokens(KEY, np.array([0, value]), n, a, m)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: transition_sample(KEY, 1.0, 0.0, 1.0), "a is 0.0, expected numbers above 0"),
        (lambda: transition_sample(KEY, -1.0, 1.0, 1.0), "start is -1.0"),
        (lambda: transition_sample(KEY, np.inf, 1.0, 1.0), "start is inf, expected finite numbers"),
        (lambda: TablePrior(np.zeros((0, 3), int), 4), r"table has shape \(0, 3\), expected \[count, positions\]"),
        (lambda: draw(KEY, PRIOR, (-3, 2, 2)), r"shape is \(-3, 2, 2\)"),
        (lambda: log_density(PRIOR, VECTORS[None], 0.0), "snr is 0.0"),
        (lambda: squared_ou_sample(KEY, 1.0, 1.5, 1.0), "num_components is 1.5, expected a whole number"),
        (lambda: transition_sample(KEY, 1.0, 1.0, np.nan), "elapsed is nan"),
        (lambda: transition_log_prob(1.0, 1.0, 1.0, np.array([0.1, -0.2])), "elapsed is -0.2"),
        (lambda: transition_mean(jnp.ones(3), jnp.ones(2), 1.0), "broadcast"),
        (lambda: transition_sample(KEY, jnp.ones(3), 1.0, 1.0, shape=(2,)), r"broadcast to \(2,\)"),
        (lambda: transition_mean(HALF, 1.0, 1.0), "start is float16, expected float32 or float64"),
        (lambda: stationary_sample(KEY, -1.0), "a is -1.0"),
        (lambda: CIR(a=-1.0), "a is -1.0"),
        (lambda: CIR().transition_sample(KEY, 1.0, -1.0), "elapsed is -1.0"),
        (lambda: dirichlet_sample(KEY, np.array([1.0, -1.0])), "alpha is -1.0"),
        (lambda: dirichlet_sample(KEY, np.zeros(0)), r"alpha has shape \(0,\)"),
        (lambda: token(4), "token is 4, expected 0 to 3"),
        (lambda: token(1, a=np.ones(2)), r"a has shape \(2,\)"),
        (lambda: token(1, m=-1.0), "m is -1.0"),
        (lambda: token(1, m=np.ones(3)), r"m \(3,\)"),
        (lambda: token(0, n=0), "num_categories is 0"),
        (lambda: bridge_sample(KEY, 1.0, -1.0, 1.0, 1.0, 1.0), "end is -1.0"),
        (lambda: IndependentPrior(np.array([0.5, 0.5]), 0.0), "a is 0.0"),
        (lambda: IndependentPrior(np.array([0.5, 0.5]), jnp.ones(3)), r"a is \[1.0, 1.0, 1.0\]"),
        (lambda: PRIOR(jnp.ones((3, 4)), 1.0), "v has 4 categories, the prior has 2"),
        (lambda: noise(KEY, (3, 2), 0.0), "a is 0.0"),
        (lambda: ancestral(KEY, PRIOR, VECTORS, np.array([1.0, 0.1])), "expected numbers above 0 in increasing order"),
        (lambda: reverse_sde(KEY, PRIOR, VECTORS, np.array([0.0, 1.0])), "SNRs are"),
        (lambda: probability_flow(PRIOR, VECTORS, np.array([1.0, 0.1, 1.0])), "SNRs are .* in order"),
        (lambda: simulate(KEY, 1.0, 1.0, np.array([0.0, 1.0, 0.5])), "a step of the grid is -0.5"),
        (lambda: bound(KEY, PRIOR, jnp.zeros((3, 1), int), 2, points=0), "points is 0"),
        (
            lambda: MarkovPrior(HALVES, np.eye(2)).log_prob(jnp.array([0, 2])),
            "sequence has tokens 0 to 2, expected 0 to 1",
        ),
        (lambda: MarkovPrior(HALVES, np.eye(2)).log_prob(jnp.array([0, -1])), "sequence has tokens -1 to 0"),
        (
            lambda: TablePrior(np.eye(2, dtype=int), 2, np.ones(3)),
            r"weights have shape \(3,\), expected one for each of 2",
        ),
        (lambda: draw(KEY, VECTOR_PRIOR, (3, 1, 2), a=1.0), r"a is 1.0, but the denoiser is for .* \[0.5, 2.0\]"),
        (lambda: clamped(IndependentPrior(np.array([1.0, 0.0])), jnp.array([1, -1])), "probability 0 under the prior"),
        (
            lambda: clamped(MarkovPrior(HALVES, np.eye(2)), jnp.array([0, -1, 1])),
            r"\[0, -1, 1\], which have probability 0",
        ),
        (lambda: clamped(TablePrior(np.eye(2, dtype=int), 2), jnp.array([1, 1])), "probability 0 under the prior"),
        (lambda: log_posterior(jnp.zeros(2), VECTORS, 1.0, 0.0), "a is 0.0, expected numbers above 0"),
        (lambda: log_posterior(jnp.zeros(2), VECTORS, 1.0, np.array([1.0, np.nan])), "a is nan"),
        (lambda: log_posterior(jnp.zeros(2), VECTORS, 1.0, np.ones(3)), "a has 3 entries, expected one for each of 2"),
        (lambda: log_posterior(jnp.zeros(2), VECTORS, -1.0), "snr is -1.0"),
        (lambda: snr_grid(4, highest=np.inf), "SNR goes from 0.01 to inf"),
        (lambda: ModelConfig("ACGT", a=(1.0, 2.0)), "a has 2 entries, expected one number or one for each of 4"),
        (lambda: OracleConfig((0.5, 0.5), a=(1.0, 0.0)), "a is 0.0"),
        (lambda: bound(KEY, PRIOR, jnp.zeros((3, 1), int), 1), "num_categories is 1, expected at least 2"),
        (
            lambda: bound(KEY, PRIOR, jnp.zeros((3, 1), int), 2, snr_distribution=SnrDistribution.even(1e-2, 60.0)),
            "the SNR distribution covers 0.01 to 60, the bound 0.001 to 60",
        ),
    ],
)
def test_bad_input_raises_a_usage_error(call: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()


def test_limits_are_no_mistakes() -> None:
    """Time 0 and infinity, a start at 0 below Feller's bound, one category, nothing at all."""
    assert transition_sample(KEY, 2.0, 0.3, 0.0) == 2
    starts = jnp.full(2000, 7.0)
    stationary = np.asarray(transition_sample(KEY, starts, 1.5, jnp.inf))
    assert abs(stationary.mean() - 1.5) < 5 * (1.5 / 2000) ** 0.5
    assert transition_log_prob(1.0, 5.0, 0.7, jnp.inf) == transition_log_prob(1.0, 0.0, 0.7, jnp.inf)
    assert np.isfinite(transition_sample(KEY, jnp.zeros(100), 0.3, 1.0)).all()
    assert np.isfinite(jax.grad(transition_log_prob)(1.0, 0.0, 0.3, 1.0))
    assert noise_tokens(KEY, np.array([0]), 1, 1.0, 1.0).shape == (1, 1)
    for a in (1.0, 0.3):
        assert noise_tokens(KEY, np.zeros((0, 5), int), 4, a, 1.0).shape == (0, 5, 4)
        assert transition_sample(KEY, jnp.zeros(0), a, 1.0).shape == (0,)
    assert ancestral(KEY, PRIOR, jnp.ones((0, 2)), np.array([0.1, 1.0]))[0].shape == (0,)
    assert dirichlet_sample(KEY, np.array([1.0])) == 1


def test_inside_jit_what_is_out_of_range_gives_nan() -> None:
    """Values are not concrete there; a token out of range gives pure noise."""
    vectors = jax.jit(lambda tokens: noise_tokens(KEY, tokens, 4, 1.0, 50.0))(np.array([9]))
    assert np.isfinite(vectors).all()
    assert vectors.max() < 20
    assert np.isnan(jax.jit(lambda a: stationary_sample(KEY, a))(-1.0))
    call = jax.jit(lambda x, a, t: (transition_sample(KEY, x, a, t), transition_log_prob(1.0, x, a, t)))
    for arguments in ((-1.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, -1.0), (1.0, jnp.nan, 1.0)):
        assert np.isnan(call(*arguments)).all()
