"""The denoiser: what it sees, its readout, and its size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sed.config import ModelConfig
from sed.diffusion.embeddings import bit_table, nearest_tokens, random_table
from sed.models.denoiser import EmbeddingDiffusion, add_start_noise

TOKENS = jnp.asarray(np.random.default_rng(0).integers(0, 2048, (2, 16)))
GIVEN = jnp.zeros((2, 16), bool).at[:, :4].set(True)


def inputs(model: EmbeddingDiffusion) -> list[jax.Array]:
    x, own = jax.random.normal(jax.random.key(0), (2, 2, 16, 16))
    return [x, model.table[...][TOKENS], GIVEN, own, jnp.array([10, 90])]


def test_first_estimate_is_zero() -> None:
    model = EmbeddingDiffusion(ModelConfig(length=16), nnx.Rngs(0), random_table(jax.random.key(0), 2048, 32))
    x = jnp.ones((1, 16, 32))
    np.testing.assert_array_equal(model(x, x, jnp.zeros((1, 16), bool), x, jnp.array([5])), 0)


def test_what_the_estimate_depends_on(untrained: EmbeddingDiffusion) -> None:
    """Noisy and own embeddings at given positions, and conditions elsewhere, are not seen; all else is."""
    values = inputs(untrained)
    found = untrained(*values)
    x, cond, given, own, t = values
    noise = jax.random.normal(jax.random.key(9), x.shape)
    at_given, elsewhere = given[..., None] * noise, ~given[..., None] * noise
    for unseen in ((x + at_given, cond, own), (x, cond + elsewhere, own), (x, cond, own + at_given)):
        np.testing.assert_array_equal(untrained(unseen[0], unseen[1], given, unseen[2], t), found)
    for seen in ((x + elsewhere, cond, own), (x, cond + at_given, own), (x, cond, own + elsewhere)):
        assert float(jnp.abs(untrained(seen[0], seen[1], given, seen[2], t) - found).max()) > 1e-3
    assert float(jnp.abs(untrained(x, cond, given, own, t + 1) - found).max()) > 1e-4
    hoisted = untrained(*values, untrained.offset_keys())
    np.testing.assert_allclose(hoisted, found, atol=1e-6)


def test_conditions_in_place() -> None:
    config = ModelConfig(vocab_size=9, embed_dim=8, length=16, cond_input="inplace")
    model = EmbeddingDiffusion(config, nnx.Rngs(0), random_table(jax.random.key(0), 9, 8))
    assert model.embed_inputs.kernel.shape == (16, 96)


def test_readout_begins_as_nearest_embedding(untrained: EmbeddingDiffusion) -> None:
    table = untrained.table[...]
    x = jax.random.normal(jax.random.key(0), (40, 16))
    np.testing.assert_array_equal(untrained.decode(x), nearest_tokens(x, table))
    np.testing.assert_array_equal(untrained.decode(table), np.arange(2048))


def test_bits_have_no_readout() -> None:
    config = ModelConfig(vocab_size=100, embed_dim=7, bits=True)
    model = EmbeddingDiffusion(config, nnx.Rngs(0), bit_table(100))
    assert model.readout is None
    np.testing.assert_array_equal(model.decode(model.table[...]), np.arange(100))


def test_start_noise() -> None:
    table = random_table(jax.random.key(0), 5, 400)
    found = add_start_noise(table, jnp.arange(5), jax.random.key(1), 0.01)
    assert float((found - table).std()) == pytest.approx(0.01, rel=0.1)


def test_table_of_another_shape() -> None:
    with pytest.raises(ValueError, match="expected \\(2048, 32\\)"):
        EmbeddingDiffusion(ModelConfig(), nnx.Rngs(0), jnp.zeros((3, 32)))
