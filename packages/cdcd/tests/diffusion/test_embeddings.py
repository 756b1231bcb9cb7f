"""Normalised embeddings, their noise, and the scaled input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cdcd.diffusion.embeddings import add_noise, nearest_tokens, normalize, scale_input, spread

TABLE = jnp.asarray(np.random.default_rng(0).standard_normal((50, 16)) * 1e-3, jnp.float32)


def test_norms_and_scale_invariance() -> None:
    embeddings = normalize(TABLE)
    np.testing.assert_allclose(jnp.linalg.norm(embeddings, axis=1), 4.0, rtol=1e-6)
    np.testing.assert_allclose(normalize(TABLE * jnp.arange(1, 51)[:, None]), embeddings, rtol=1e-5)
    assert not bool(jnp.isnan(jax.grad(lambda table: normalize(table).sum())(jnp.zeros((2, 4)))).any())


def test_gradients_are_orthogonal_to_the_rows() -> None:
    gradient = jax.grad(lambda table: jnp.sin(normalize(table)).sum())(TABLE)
    products = (gradient * TABLE).sum(axis=1) / (jnp.linalg.norm(gradient, axis=1) * jnp.linalg.norm(TABLE, axis=1))
    np.testing.assert_allclose(products, 0, atol=1e-5)


@pytest.mark.parametrize("level", [0.1, 1.0, 30.0])
def test_scaled_input_has_unit_variance(level: float) -> None:
    embedded = normalize(TABLE)[jax.random.randint(jax.random.key(0), (64, 32), 0, 50)]
    t = jnp.full(64, level)
    x = add_noise(jax.random.key(1), embedded, t)
    np.testing.assert_allclose(jnp.std(x - embedded), level, rtol=0.02)
    np.testing.assert_allclose(jnp.std(scale_input(x, t)), 1.0, atol=0.02)


def test_nearest_by_distances() -> None:
    embeddings = normalize(TABLE)
    x = jnp.asarray(np.random.default_rng(1).standard_normal((40, 16)), jnp.float32)
    distances = np.square(np.asarray(x)[:, None] - np.asarray(embeddings)).sum(axis=-1)
    np.testing.assert_array_equal(nearest_tokens(x, embeddings), distances.argmin(axis=1))


def test_spread_by_pairs() -> None:
    embeddings = np.asarray(normalize(TABLE))
    pairs = np.square(embeddings[:, None] - embeddings).sum(axis=-1).mean()
    np.testing.assert_allclose(spread(jnp.asarray(embeddings)), pairs / (2 * 16), rtol=1e-4)
    np.testing.assert_allclose(spread(jnp.ones((5, 3))), 0, atol=1e-6)
