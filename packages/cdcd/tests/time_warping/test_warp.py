"""The map is a distribution function, its inverse inverts it, and manipulations have their limits."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest

from cdcd.config import WarpConfig
from cdcd.time_warping.warp import TimeWarp, WarpLogits, initial_logits, make_warp, manipulate

CONFIG = WarpConfig(t_min=0.5, t_max=150.0, bins=20)


def random_logits(seed: int, scale: float = 2.0, bins: int = 20) -> WarpLogits:
    generator = np.random.default_rng(seed)
    return WarpLogits(*(jnp.asarray(scale * generator.standard_normal(bins), jnp.float32) for _ in range(2)))


def numpy_cdf(logits: WarpLogits, config: WarpConfig, t: np.ndarray) -> np.ndarray:
    """The map from its definition, in float64, by `np.interp` between edges."""

    def sizes(values: jax.Array) -> np.ndarray:
        parts = np.exp(np.asarray(values, np.float64))
        floored = parts / parts.sum() + config.floor
        return floored / floored.sum()

    inputs, outputs = (np.concatenate([[0], np.cumsum(sizes(part))]) for part in logits)
    return np.interp((t - config.t_min) / (config.t_max - config.t_min), inputs, outputs)


@pytest.mark.parametrize("seed", range(3))
def test_cdf_by_its_definition(seed: int) -> None:
    logits = random_logits(seed)
    t = np.linspace(CONFIG.t_min, CONFIG.t_max, 500)
    found = make_warp(logits, CONFIG).cdf(jnp.asarray(t, jnp.float32))
    np.testing.assert_allclose(found, numpy_cdf(logits, CONFIG, t), atol=2e-6)


@pytest.mark.parametrize("domain", ["linear", "log"])
def test_starts_as_the_identity(domain: str) -> None:
    config = replace(CONFIG, domain=domain)
    warp = make_warp(initial_logits(config), config)
    t = jnp.geomspace(0.5, 150, 50)
    np.testing.assert_allclose(warp.cdf(t), warp.position(t), atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 50.0])
@pytest.mark.parametrize("domain", ["linear", "log"])
def test_inverse_and_ends(scale: float, domain: str) -> None:
    config = replace(CONFIG, domain=domain)
    warp = make_warp(random_logits(1, scale), config)
    t = jnp.geomspace(config.t_min, config.t_max, 200)
    # Flat parts of the map lose digits of the inverse: where 1 of u is 150 of t, 1e-7 of u is 1e-5 of t.
    np.testing.assert_allclose(warp.cdf(warp.inverse(warp.cdf(t))), warp.cdf(t), atol=2e-6)
    if scale == 1.0:
        np.testing.assert_allclose(warp.inverse(warp.cdf(t)), t, rtol=2e-4)
    assert float(warp.cdf(jnp.float32(config.t_min))) == 0.0
    assert float(warp.cdf(jnp.float32(config.t_max))) == pytest.approx(1.0, abs=1e-6)
    assert float(warp.inverse(jnp.float32(1.0))) == pytest.approx(config.t_max)
    assert float(warp.inverse(jnp.float32(0.0))) == pytest.approx(config.t_min)
    assert (np.diff(warp.cdf(t)) >= 0).all()


def test_density_is_the_derivative_and_the_density_of_samples() -> None:
    warp = make_warp(random_logits(2, 1.0), CONFIG)
    u = np.random.default_rng(0).uniform(size=4000).astype(np.float32)
    t = np.asarray(warp.inverse(jnp.asarray(u)))
    slopes = jax.vmap(jax.grad(lambda t: warp.cdf(t)))(jnp.asarray(t)) * (CONFIG.t_max - CONFIG.t_min)
    np.testing.assert_allclose(slopes, warp.density(jnp.asarray(t)), rtol=1e-3)
    assert kstest(t, lambda t: np.asarray(warp.cdf(jnp.asarray(t)))).pvalue > 0.01


def test_manipulations() -> None:
    warp = make_warp(random_logits(3), CONFIG)
    t = jnp.linspace(0.5, 150, 300)
    for identity in (warp.tempered(float("inf")), warp.mixed(1.0)):
        np.testing.assert_allclose(identity.cdf(t), warp.position(t), atol=1e-6)
    np.testing.assert_allclose(manipulate(warp, 1.0, 0.0).cdf(t), warp.cdf(t), atol=1e-6)
    # Temperature by hand: bins of equal input size whose output sizes are squared and normalised.
    plain = TimeWarp(jnp.full(2, 0.5), jnp.array([0.2, 0.8]), jnp.ones(2), 1.0, 3.0)
    np.testing.assert_allclose(plain.tempered(0.5).outputs, [0.04 / 0.68, 0.64 / 0.68], rtol=1e-6)
    np.testing.assert_allclose(plain.mixed(0.5).outputs, [0.35, 0.65], rtol=1e-6)


def test_unnormalised_outputs_estimate_the_loss() -> None:
    for mode in ("paper", "joint"):
        config = replace(CONFIG, floor_mode=mode)
        warp = make_warp(random_logits(4), config)
        total = float(np.exp(random_logits(4).outputs).sum() + 20 * CONFIG.floor)
        assert float(warp.predicted_loss(jnp.float32(CONFIG.t_max))) == pytest.approx(total, rel=1e-5)
        assert float(warp.predicted_loss(jnp.float32(CONFIG.t_min))) == 0.0
    np.testing.assert_allclose(warp.losses / warp.losses.sum(), warp.outputs, rtol=1e-6)


def test_analytic_start_follows_a_curve() -> None:
    levels = np.geomspace(0.5, 150, 64)
    losses = 7 / (1 + (3 / levels) ** 3)
    warp = make_warp(
        initial_logits(replace(CONFIG, bins=100, floor=1e-7), (levels, losses)), replace(CONFIG, floor=1e-7)
    )
    expected = (losses - losses[0]) / (losses[-1] - losses[0])
    np.testing.assert_allclose(warp.cdf(jnp.asarray(levels, jnp.float32)), expected, atol=0.02)
    np.testing.assert_allclose(warp.predicted_loss(jnp.float32(150.0)), 7, rtol=0.01)


def test_is_a_pytree() -> None:
    warp = make_warp(random_logits(5), CONFIG)
    assert len(jax.tree.leaves(warp)) == 3
    assert float(jax.jit(lambda warp, u: warp.inverse(u))(warp, 1.0)) == pytest.approx(150.0)
