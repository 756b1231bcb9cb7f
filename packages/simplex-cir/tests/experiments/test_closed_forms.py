import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from simplex_cir.diffusion.likelihood import bound, contributions
from simplex_cir.diffusion.posterior import log_posterior
from simplex_cir.diffusion.priors import IndependentPrior
from simplex_cir.diffusion.probability_flow import paper_log_flow
from simplex_cir.experiments import closed_forms
from simplex_cir.experiments.closed_forms import CHECKS, Check
from simplex_cir.process.cir import CIR


@pytest.mark.parametrize("name", ["eq. 6", "eq. 14", "eq. 17"])
def test_printed_formulas_fail(name: str) -> None:
    """The misprints of the paper, as printed and as corrected, against oracles that share no code with either."""
    if name == "eq. 6":
        a, b, start, time = 0.8, 1.7, 1.3, 0.4
        kappa, spread = np.exp(-b * time), -np.expm1(-b * time) / 2
        exact = stats.ncx2(2 * a, start * kappa / spread, scale=spread).var()
        corrected = CIR(a, b, (2 * b) ** 0.5).transition_variance(start, time)
        printed = a + 2 * kappa * (start - a) + np.exp(-2 * time) * (a - 2 * start)
    elif name == "eq. 14":
        prior = IndependentPrior(np.array([0.7, 0.3]))
        tokens = prior.sample(jax.random.key(0), (4000, 1))
        exact = -np.log(prior.probabilities)[np.asarray(tokens)[:, 0]].mean()
        corrected = bound(jax.random.key(1), prior, tokens, 2, points=32).total.mean()
        log_snr = jnp.linspace(np.log(1e-3), np.log(60.0), 32)[:, None]
        squares = contributions(jax.random.key(2), prior, tokens, 2, jnp.broadcast_to(log_snr, (32, 4000)))
        snrs = jnp.exp(log_snr[:, 0])
        printed = jnp.trapezoid(jnp.sqrt(squares / snrs[:, None]).mean(axis=1) * snrs, log_snr[:, 0])
    else:
        scores = closed_forms._scores()
        a, y = closed_forms._SHAPE, closed_forms._VECTORS
        exact, printed = (a - 1) / y - 1 - scores, -(1 + scores)
        snr, _, v = closed_forms._snr_and_scale()
        probabilities = jnp.exp(log_posterior(jnp.log(jnp.asarray(closed_forms._PRIOR)), v, snr, a))
        corrected = paper_log_flow(probabilities, jnp.asarray(y, v.dtype), snr, a, closed_forms._MASS)
    np.testing.assert_allclose(corrected, exact, rtol=0.03 if name == "eq. 14" else 1e-4)
    assert (abs(np.asarray(printed) / exact - 1) > 0.05).all()


SLOW = {"Laplace transform", "forward equation", "quantiles"}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(
            check,
            id=f"{check.what} by {check.against}",
            marks=[pytest.mark.slow] if check.what in SLOW else [],
        )
        for check in CHECKS
    ],
)
def test_closed_forms_hold(check: Check) -> None:
    with jax.enable_x64(True):
        assert check.error() <= check.bound
