"""Relative attention against a naive loop over offsets."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from sed.config import AutoregressiveConfig, ModelConfig
from sed.models.attention import RelativeAttention, Transformer, align_offsets, sinusoids

CONFIG = ModelConfig(length=5, width=12, heads=2, head_size=3, depth=2)


def test_offsets_are_aligned_with_keys() -> None:
    scores = jnp.arange(2 * 4 * 7.0).reshape(2, 4, 7)
    found = align_offsets(scores)
    for i in range(4):
        for j in range(4):
            np.testing.assert_array_equal(found[:, i, j], scores[:, i, 3 - i + j])


def test_sinusoids() -> None:
    found = np.asarray(sinusoids(jnp.array([0.0, 3.0, -3.0]), 4))
    np.testing.assert_allclose(found[1], [np.sin(3), np.sin(0.03), np.cos(3), np.cos(0.03)], rtol=1e-5)
    np.testing.assert_allclose(found[0], [0, 0, 1, 1], atol=1e-7)
    np.testing.assert_allclose(found[2], found[1] * [-1, -1, 1, 1], rtol=1e-5)


def test_attention_is_the_formula() -> None:
    layer = RelativeAttention(CONFIG, nnx.Rngs(0), scale=1.0)
    for number, bias in enumerate((layer.content_bias, layer.position_bias)):
        bias[...] = jax.random.normal(jax.random.key(number), bias.shape)
    x = jax.random.normal(jax.random.key(2), (1, 5, 12))
    q, k, v = (np.asarray(part).reshape(5, 2, 3) for part in jnp.split(layer.qkv(x), 3, axis=-1))
    u, w = np.asarray(layer.content_bias[...]), np.asarray(layer.position_bias[...])
    mixed = np.zeros((5, 2, 3))
    for head in range(2):
        scores = np.zeros((5, 5))
        for i in range(5):
            for j in range(5):
                r = np.asarray(layer.offsets(sinusoids(jnp.array([float(i - j)]), 12))).reshape(2, 3)[head]
                scores[i, j] = (q[i, head] + u[head]) @ k[j, head] + (q[i, head] + w[head]) @ r
        probs = np.exp(scores / np.sqrt(3))
        mixed[:, head] = probs / probs.sum(axis=1, keepdims=True) @ v[:, head]
    keys = layer.offset_keys(sinusoids(jnp.arange(4, -5, -1.0), 12))
    np.testing.assert_allclose(layer(x, keys), layer.out(jnp.asarray(mixed.reshape(1, 5, 6))), rtol=2e-4, atol=1e-5)


def test_order_of_positions_matters_and_order_of_the_batch_does_not() -> None:
    model = Transformer(CONFIG, nnx.Rngs(0))
    keys = model.offset_keys(5)
    x = jax.random.normal(jax.random.key(2), (3, 5, 12))
    found = model(x, keys)
    np.testing.assert_allclose(model(x[::-1], keys)[::-1], found, atol=1e-5)
    assert float(jnp.abs(model(x[:, ::-1], keys)[:, ::-1] - found).max()) > 1e-3


def test_causal_attention_sees_nothing_later() -> None:
    model = Transformer(AutoregressiveConfig(width=12, heads=2, head_size=3, depth=2), nnx.Rngs(0), causal=True)
    x = jax.random.normal(jax.random.key(2), (1, 5, 12))
    changed = x.at[:, 3].set(jax.random.normal(jax.random.key(3), (12,)))
    before, after = (model(value, model.offset_keys(5)) for value in (x, changed))
    np.testing.assert_array_equal(before[:, :3], after[:, :3])
    assert float(jnp.abs(before[:, 3:] - after[:, 3:]).min()) > 0


def test_remat_gives_the_same() -> None:
    plain, remat = (
        Transformer(ModelConfig(length=5, width=12, heads=2, head_size=3, depth=2, remat=remat), nnx.Rngs(0))
        for remat in (False, True)
    )
    x = jax.random.normal(jax.random.key(2), (1, 5, 12))

    def loss(model: Transformer) -> jax.Array:
        return jnp.square(model(x, model.offset_keys(5))).sum()

    first, second = (jax.tree.leaves(nnx.grad(loss)(model)) for model in (plain, remat))
    for one, two in zip(first, second, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
