"""Embeddings that are trained: normalised rows, and gradients that reach them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sed.diffusion.embeddings import random_table
from sed.models.learned import LearnedEmbeddings
from sed.presets import PRESETS

CONFIG = PRESETS["smoke"].config.model


@pytest.fixture(scope="module")
def table() -> jax.Array:
    return random_table(jax.random.key(0), CONFIG.vocab_size, CONFIG.embed_dim)


@pytest.fixture
def model(table: jax.Array) -> LearnedEmbeddings:
    return nnx.jit(lambda table: LearnedEmbeddings(CONFIG, nnx.Rngs(0), table))(table)


def test_rows_of_any_length_are_a_table_of_norm_root_d(table: jax.Array, model: LearnedEmbeddings) -> None:
    np.testing.assert_allclose(model.with_table().table[...], table, rtol=1e-5)
    model.rows[...] = 3 * model.rows[...]
    np.testing.assert_allclose(model.with_table().table[...], table, rtol=1e-5)


def test_gradients_reach_the_rows_across_their_directions_only(table: jax.Array, model: LearnedEmbeddings) -> None:
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    target = jax.random.normal(jax.random.key(1), table.shape)

    def loss(params: nnx.State) -> jax.Array:
        model = nnx.merge(graph, params, rest, copy=True)
        return jnp.square(model.with_table().table[...] - target).sum()

    rows = jax.grad(loss)(params)["rows"][...]
    along = (rows * table).sum(axis=1, keepdims=True) / CONFIG.embed_dim
    np.testing.assert_allclose(along, 0, atol=1e-4)
    # At rows of norm sqrt(D) the gradient is that of the table without its part along the row.
    free = 2 * (table - target)
    expected = free - (free * table).sum(axis=1, keepdims=True) / CONFIG.embed_dim * table
    np.testing.assert_allclose(rows, expected, rtol=1e-3, atol=1e-4)
