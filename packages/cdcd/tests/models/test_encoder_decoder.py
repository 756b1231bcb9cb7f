"""Parts of encoder-decoders: padding is not seen, positions as published."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from cdcd.models.encoder_decoder import Encoder, MemoryAttention, sinusoidal_positions

KEYS = jax.random.split(jax.random.key(0), 3)


def test_positions() -> None:
    found = sinusoidal_positions(5, 6)
    for position in range(5):
        for pair in range(3):
            angle = position / 10_000 ** (2 * pair / 6)
            np.testing.assert_allclose(found[position, [pair, 3 + pair]], [np.sin(angle), np.cos(angle)], rtol=1e-5)


def test_attention_by_hand() -> None:
    attention = MemoryAttention(8, 2, nnx.Rngs(0))
    x, memory = jax.random.normal(KEYS[0], (1, 3, 8)), jax.random.normal(KEYS[1], (1, 4, 8))
    mask = np.array([True, True, False, True])
    bias = attention.query.bias, attention.key_value.bias, attention.out.bias
    assert all(value is not None for value in bias)
    q = np.asarray(attention.query(x))[0]
    k, v = np.split(np.asarray(attention.key_value(memory))[0], 2, axis=-1)
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        scores = np.where(mask, q[:, head] @ k[:, head].T / 2, -np.inf)
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        heads.append(weights / weights.sum(axis=1, keepdims=True) @ v[:, head])
    expected = attention.out(jnp.asarray(np.concatenate(heads, axis=-1)))
    np.testing.assert_allclose(attention(x, memory, jnp.asarray(mask)[None, None, None])[0], expected, atol=1e-5)


def test_padding_of_the_source_changes_nothing() -> None:
    encoder = Encoder(6, 8, 2, 2, 4, nnx.Rngs(1))
    embedded = jax.random.normal(KEYS[2], (2, 5, 6))
    present = jnp.arange(5) < jnp.array([[3], [5]])
    before = encoder(embedded, present)
    after = encoder(embedded.at[0, 3:].add(7.0), present)
    np.testing.assert_array_equal(before.states[0, :3], after.states[0, :3])
    short = encoder(embedded[:1, :3], present[:1, :3])
    np.testing.assert_allclose(before.states[0, :3], short.states[0], atol=1e-5)
