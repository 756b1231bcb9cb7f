"""The fit finds the loss although it draws its own noise levels."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.stats import beta

from cdcd.config import WarpConfig
from cdcd.time_warping.fit import average, fit_loss, importance_weights, target_loss
from cdcd.time_warping.warp import WarpLogits, initial_logits, make_warp

CONFIG = WarpConfig(t_min=0.5, t_max=30.0, bins=50, ema_decay=0.9)
HEIGHT = 5.0


def true_loss(t: jax.Array) -> jax.Array:
    return HEIGHT * jax.nn.sigmoid((jnp.log(t) - np.log(6.0)) / 0.3)


def fitted(config: WarpConfig, steps: int, *, weighted: bool = True) -> WarpLogits:
    """Fit with the map in the loop: it draws the noise levels that it is fitted to."""
    optimizer = optax.adam(1e-2)
    logits = initial_logits(config)

    def step(carry: tuple, key: jax.Array) -> tuple:
        logits, mean, state = carry
        drawn_by = make_warp(mean, config)
        key_u, key_noise = jax.random.split(key)
        t = drawn_by.inverse((jax.random.uniform(key_u) + jnp.arange(128) / 128) % 1)
        losses = true_loss(t) + 0.3 * jax.random.normal(key_noise, t.shape)
        weights_by = drawn_by if weighted else drawn_by.mixed(1.0)
        gradient = jax.grad(fit_loss)(logits, weights_by, t, losses, config)
        moved, state = optimizer.update(gradient, state)
        logits = jax.tree.map(jnp.add, logits, moved)
        return (logits, average(mean, logits, config.ema_decay), state), None

    carry = (logits, logits, optimizer.init(logits))
    return jax.jit(lambda carry, keys: jax.lax.scan(step, carry, keys)[0])(
        carry, jax.random.split(jax.random.key(0), steps)
    )[1]


def largest_error(logits: WarpLogits, config: WarpConfig) -> float:
    t = jnp.linspace(config.t_min, config.t_max, 200)
    return float(jnp.abs(make_warp(logits, config).predicted_loss(t) - true_loss(t)).max() / HEIGHT)


def test_finds_the_loss_in_a_closed_loop() -> None:
    assert largest_error(fitted(CONFIG, 3000), CONFIG) < 0.02


def test_weights_undo_the_sampling() -> None:
    warp = make_warp(WarpLogits(*(jnp.asarray(np.random.default_rng(0).normal(size=(2, 50)), jnp.float32))), CONFIG)
    t = warp.inverse((jnp.arange(200_000) + 0.5) / 200_000)
    weights = importance_weights(warp, t)
    for function in (jnp.sin, jnp.sqrt):
        even = function(jnp.linspace(CONFIG.t_min, CONFIG.t_max, 200_000)).mean()
        np.testing.assert_allclose((weights * function(t)).mean(), even, rtol=2e-3)


def test_beta_targets() -> None:
    warp = make_warp(initial_logits(CONFIG), CONFIG)
    t = jnp.linspace(1.0, 29.0, 9)
    expected = float(warp.losses.sum()) * beta.cdf(np.asarray(warp.cdf(t)), 0.5, 2.0)
    np.testing.assert_allclose(target_loss(warp, t, (0.5, 2.0)), expected, rtol=1e-4)
    # Where the target is the identity, both forms agree (floors make the bins of both kinds differ a little).
    np.testing.assert_allclose(warp.losses.sum() * warp.cdf(t), target_loss(warp, t, (1.0, 1.0)), rtol=1e-3)
    config = replace(CONFIG, target=(0.5, 2.0))
    gradient = jax.grad(fit_loss)(initial_logits(config), warp, jnp.array([0.5, 30.0]), jnp.ones(2), config)
    assert all(bool(jnp.isfinite(part).all()) for part in gradient)


def test_gradients_reach_only_the_logits() -> None:
    t, losses = jnp.array([2.0, 9.0]), jnp.array([1.0, 3.0])
    warp = make_warp(initial_logits(CONFIG), CONFIG)
    gradients = jax.grad(fit_loss, argnums=(1, 2, 3))(initial_logits(CONFIG), warp, t, losses, CONFIG)
    assert all(not np.asarray(leaf).any() for leaf in jax.tree.leaves(gradients))


def test_average() -> None:
    old, new = (WarpLogits(jnp.full(2, value), jnp.full(2, 10 * value)) for value in (1.0, 2.0))
    assert average(old, new, 0.75).outputs[0] == pytest.approx(12.5)
