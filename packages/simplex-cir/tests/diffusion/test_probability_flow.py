"""The flow against exact marginals, and its likelihood against the exact density."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError
from scipy import stats

from simplex_cir.diffusion.posterior import log_posterior
from simplex_cir.diffusion.priors import IndependentPrior, MarkovPrior
from simplex_cir.diffusion.probability_flow import (
    METHODS,
    log_density,
    log_velocity,
    paper_log_flow,
    probability_flow,
    velocity,
)
from simplex_cir.diffusion.snr import scale_from_snr, snr_grid

PRIOR = np.array([0.6, 0.3, 0.1])


def forward(seed: int, snr: float, a: float, count: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    tokens = generator.choice(3, count, p=PRIOR)
    extra = np.where(np.arange(3) == tokens[:, None], generator.poisson(snr, (count, 1)), 0)
    return generator.gamma(a + extra)


def test_both_domains_are_one_field() -> None:
    with jax.enable_x64(True):
        prior = IndependentPrior(PRIOR, 0.6)
        v = jnp.asarray(forward(0, 3.0, 0.6, 8))
        np.testing.assert_allclose(
            velocity(prior, v, np.log(3.0), 0.6), v * log_velocity(prior, jnp.log(v), np.log(3.0), 0.6), rtol=1e-9
        )


def test_log_velocity_at_zero_is_its_limit() -> None:
    prior = IndependentPrior(PRIOR, 0.5)
    log_v = jnp.full((1, 3), -80.0)
    v = jnp.exp(log_v)
    np.testing.assert_allclose(
        log_velocity(prior, log_v, jnp.log(2.0), 0.5), jnp.exp(prior(v, 2.0)) * 2.0 / 0.5, rtol=1e-4
    )


def test_the_papers_log_form_in_other_coordinates() -> None:
    with jax.enable_x64(True):
        snr, mass, a = 1.7, 2.0, 0.8
        c = float(scale_from_snr(snr, mass))
        v = jnp.asarray(forward(1, snr, a, 5))
        prior = IndependentPrior(PRIOR, a)
        probabilities = jnp.exp(log_posterior(jnp.log(jnp.asarray(PRIOR)), v, snr, a))
        # d log v/dt = d log y/dt - (c - 1), and d log m = -c dt
        in_time = paper_log_flow(probabilities, v / c, snr, a, mass) - (c - 1)
        np.testing.assert_allclose(-in_time / c, log_velocity(prior, jnp.log(v), np.log(snr), a), rtol=1e-9)


@pytest.mark.parametrize(("method", "log_domain"), [*((method, True) for method in METHODS), ("heun", False)])
def test_flow_maps_marginals_to_marginals(method: str, log_domain: bool) -> None:
    a, count = 1.0, 20_000
    start = jnp.asarray(forward(2, 0.05, a, count), jnp.float32)
    steps = 200 if method == "euler" else 40
    grid, prior = snr_grid(steps, lowest=0.05, highest=5.0), IndependentPrior(PRIOR, a)
    flow = jax.jit(lambda v: probability_flow(prior, v, grid, a, method=method, log_domain=log_domain, tolerance=1e-4))
    _, after = flow(start)
    expected = forward(3, 5.0, a, count)
    for i in range(3):
        assert stats.ks_2samp(np.asarray(after[:, i]), expected[:, i]).pvalue > 1e-3 / 3, i


def test_flow_goes_back() -> None:
    with jax.enable_x64(True):
        prior = IndependentPrior(PRIOR)
        start = jnp.asarray(forward(4, 2.0, 1.0, 20))
        grid = snr_grid(200, lowest=0.01, highest=2.0)[::-1]
        flow = jax.jit(lambda v, grid: probability_flow(prior, v, grid, method="rk4")[1])
        down = flow(start, grid)
        up = flow(down, grid[::-1])
        np.testing.assert_allclose(up, start, rtol=1e-5)


def test_likelihood_is_the_exact_density() -> None:
    with jax.enable_x64(True):
        a, snr = 1.4, 2.5
        prior = IndependentPrior(PRIOR, a)
        v = jnp.asarray(forward(5, snr, a, 4)).reshape(2, 2, 3)
        exact = (prior.log_likelihood_ratio(v, snr) + stats.gamma.logpdf(v, a).sum(axis=-1)).sum(axis=-1)
        got = jax.jit(lambda v: log_density(prior, v, snr, a, lowest_snr=1e-5, tolerance=1e-8))(v)
        np.testing.assert_allclose(got, exact, atol=2e-4)
        run = jax.jit(lambda key: log_density(prior, v, snr, a, lowest_snr=1e-4, key=key))
        estimates = jnp.stack([run(key) for key in jax.random.split(jax.random.key(0), 8)])
        spread = estimates.std(axis=0) / np.sqrt(8)
        assert bool((jnp.abs(estimates.mean(axis=0) - exact) < 4 * spread + 5e-3).all())


@pytest.mark.slow
def test_likelihood_of_a_chain() -> None:
    with jax.enable_x64(True):
        chain = MarkovPrior(PRIOR, np.array([[0.8, 0.1, 0.1], [0.2, 0.6, 0.2], [0.3, 0.3, 0.4]]))
        v = jnp.asarray(forward(6, 2.0, 1.0, 3)).reshape(1, 3, 3)
        exact = chain.log_likelihood_ratio(v, 2.0) - v.sum(axis=(-1, -2))
        got = jax.jit(lambda v: log_density(chain, v, 2.0, lowest_snr=1e-5, tolerance=1e-8))(v)
        np.testing.assert_allclose(got, exact, atol=2e-4)


def test_unknown_method() -> None:
    with pytest.raises(UsageError, match="heun"):
        probability_flow(IndependentPrior(PRIOR), jnp.ones((1, 3)), snr_grid(2), method="huen")
