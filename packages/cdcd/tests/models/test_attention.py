"""The block's parts against naive loops."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from cdcd.models.attention import LONGEST_WAVELENGTH, MLP, Attention, rotate, scan_blocks

X = jnp.asarray(np.random.default_rng(0).standard_normal((2, 5, 8)), jnp.float32)


def test_rotary_positions_as_complex_numbers() -> None:
    x = np.asarray(X).reshape(2, 5, 2, 4)
    pairs = x[..., :2] + 1j * x[..., 2:]
    rates = LONGEST_WAVELENGTH ** -(np.arange(2) / 2)
    turned = pairs * np.exp(1j * np.arange(5)[:, None, None] * rates)
    expected = np.concatenate([turned.real, turned.imag], axis=-1)
    np.testing.assert_allclose(rotate(jnp.asarray(x), jnp.arange(5)), expected, atol=1e-5)


def test_attention_by_loops() -> None:
    attention = Attention(8, 2, nnx.Rngs(0), rotary=False)
    q, k, v = (np.asarray(part, np.float64) for part in attention.project(X, jnp.arange(5)))
    for causal in (False, True):
        mixed = np.zeros((2, 5, 2, 4))
        for b in range(2):
            for h in range(2):
                for i in range(5):
                    seen = i + 1 if causal else 5
                    scores = np.exp(k[b, :seen, h] @ q[b, i, h] / 2)
                    mixed[b, i, h] = scores / scores.sum() @ v[b, :seen, h]
        expected = attention.join(jnp.asarray(mixed, jnp.float32))
        np.testing.assert_allclose(attention(X, causal=causal), expected, atol=1e-5)


def test_scan_is_a_loop_over_blocks() -> None:
    blocks = nnx.vmap(lambda key: MLP(8, 16, nnx.Rngs(key)))(jax.random.split(jax.random.key(0), 3))
    graph, states = nnx.split(blocks)
    expected = X
    for number in range(3):
        expected = expected + nnx.merge(graph, jax.tree.map(lambda leaf, n=number: leaf[n], states))(expected)
    for remat in (False, True):
        found = scan_blocks(blocks, X, lambda block, x: x + block(x), remat=remat)
        np.testing.assert_allclose(found, expected, atol=1e-5)
