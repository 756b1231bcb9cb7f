"""The network: invariances, leaks, and its inputs."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError

from cdcd.config import ModelConfig, WarpConfig
from cdcd.models.denoiser import CategoricalDiffusion, ConditionalNorm, loss_curve

CONFIG = ModelConfig(
    vocab_size=11, length=6, embed_dim=4, width=16, depth=2, heads=2, time_width=8, warp=WarpConfig(t_min=0.1, t_max=50)
)
KEYS = jax.random.split(jax.random.key(0), 4)
MASK = jnp.array([[False, True, True, True, False, True]] * 3)
TOKENS = jax.random.randint(KEYS[0], (3, 6), 0, 11)
T = jnp.array([0.2, 3.0, 40.0])


def stirred(config: ModelConfig) -> CategoricalDiffusion:
    """A network with random values also where it begins with zeros."""
    model = CategoricalDiffusion(config, nnx.Rngs(0))
    for _, module in nnx.iter_modules(model):
        if isinstance(module, ConditionalNorm):
            kernel = module.modulate.kernel
            kernel[...] = 0.3 * jax.random.normal(KEYS[1], kernel.shape)
    return model


def logits_of(model: CategoricalDiffusion, x: jax.Array, mask: jax.Array, tokens: jax.Array, p: jax.Array) -> jax.Array:
    condition = jnp.where(mask[..., None], 0.0, model.embeddings()[tokens])
    return model.logits(model.hidden(x, T, mask, condition, p))


MODEL = stirred(CONFIG)
X = 3.0 * jax.random.normal(KEYS[2], (3, 6, 4))
P = jax.random.normal(KEYS[3], (3, 6, 4))


def test_starts_near_the_uniform_distribution() -> None:
    model = CategoricalDiffusion(CONFIG, nnx.Rngs(1))
    nats = model.nats(model.hidden(X, T, MASK, jnp.zeros_like(X), jnp.zeros_like(X)), TOKENS)
    assert float(nats.mean()) == pytest.approx(np.log(11), abs=0.8)


def test_what_the_network_sees() -> None:
    before = logits_of(MODEL, X, MASK, TOKENS, P)
    # Noise and predictions at given positions change nothing; given tokens change predictions elsewhere.
    moved = jnp.where(MASK[..., None], 0.0, 5.0)
    np.testing.assert_array_equal(logits_of(MODEL, X + moved, MASK, TOKENS, P + moved), before)
    others = logits_of(MODEL, X, MASK, jnp.where(MASK, TOKENS, (TOKENS + 1) % 11), P)
    assert bool((jnp.abs(others - before).max(axis=-1)[:, 1] > 1e-4).all())
    # Tokens at noisy positions are seen through x only.
    np.testing.assert_array_equal(logits_of(MODEL, X, MASK, jnp.where(MASK, 0, TOKENS), P), before)


def test_scale_of_the_embeddings_does_not_matter() -> None:
    before = logits_of(MODEL, X, MASK, TOKENS, P)
    graph, state = nnx.split(MODEL)
    model = nnx.merge(graph, state, copy=True)
    model.embed[...] = model.embed[...] * jnp.arange(1.0, 12.0)[:, None]
    np.testing.assert_allclose(logits_of(model, X, MASK, TOKENS, P), before, rtol=1e-4, atol=1e-5)


def test_without_positions_the_network_is_equivariant() -> None:
    order = jnp.array([3, 0, 5, 1, 2, 4])
    for rotary in (False, True):
        model = stirred(replace(CONFIG, rotary=rotary))
        found = logits_of(model, X[:, order], MASK[:, order], TOKENS[:, order], P[:, order])
        close = np.allclose(found, logits_of(model, X, MASK, TOKENS, P)[:, order], atol=1e-4)
        assert close is not rotary


def test_time_conditioning() -> None:
    x = jnp.zeros_like(X)
    for conditioned in (True, False):
        model = stirred(replace(CONFIG, time_conditioning=conditioned))
        first, second = (model.hidden(x, jnp.full(3, level), MASK, jnp.zeros_like(X), P) for level in (0.2, 20.0))
        assert np.allclose(first, second) is not conditioned


def test_denoiser_broadcasts_the_level_and_drops_the_condition() -> None:
    denoise = MODEL.denoiser(TOKENS, MASK)
    level = jnp.float32(3.0)
    condition = jnp.where(MASK[..., None], 0.0, MODEL.embeddings()[TOKENS])
    for branch in (1.0, 0.0):
        expected = MODEL.logits(MODEL.hidden(X, jnp.full(3, 3.0), MASK, branch * condition, P))
        np.testing.assert_allclose(denoise(X, level, P, jnp.float32(branch)), expected, rtol=1e-5)


def test_predictions_are_expected_embeddings() -> None:
    hidden = MODEL.hidden(X, T, MASK, jnp.zeros_like(X), P)
    expected = jax.nn.softmax(MODEL.logits(hidden)) @ MODEL.embeddings()
    np.testing.assert_allclose(MODEL.predict(hidden, MODEL.embeddings()), expected, rtol=1e-4, atol=1e-5)


def test_average_of_the_warping() -> None:
    model = CategoricalDiffusion(replace(CONFIG, warp=replace(CONFIG.warp, ema_decay=0.75)), nnx.Rngs(0))
    before = model.warp.mean_outputs[...]
    model.warp.outputs[...] = before + 1.0
    model.warp.update_average()
    np.testing.assert_allclose(model.warp.mean_outputs[...], before + 0.25, rtol=1e-6)


def test_round_trip(tmp_path: Path) -> None:
    again = CategoricalDiffusion.from_pretrained(MODEL.save_pretrained(tmp_path))
    np.testing.assert_array_equal(logits_of(again, X, MASK, TOKENS, P), logits_of(MODEL, X, MASK, TOKENS, P))


def test_a_range_without_any_effect_is_refused() -> None:
    useless = replace(CONFIG, embed_dim=64, warp=WarpConfig(t_min=1e-3, t_max=2e-3, initial="analytic"))
    with pytest.raises(UsageError, match="make no difference"):
        loss_curve(useless)
