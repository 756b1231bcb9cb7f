"""Rejection with a buffer: distribution of accepted values for all sizes, with scalar and array parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from simplex_cir.random.rejection import Arrays, in_chunks, until_accepted


def triangle(uniforms: Arrays, parameters: Arrays) -> jax.Array:
    """Density 2 x / s^2 on (0, s), by rejection from the uniform one: half of the proposals are accepted."""
    (scale,) = parameters
    return jnp.where(uniforms[1] < uniforms[0], scale * uniforms[0], jnp.nan)


@pytest.mark.parametrize("size", [1, 100, 2049, 8192, 20_000])
def test_distribution_and_order_of_elements(size: int) -> None:
    """Neighbours of very different scale reveal values that are written to a wrong index."""

    def draw(key: jax.Array, shape: tuple[int, ...], parameters: Arrays) -> jax.Array:
        return until_accepted(key, shape, jnp.dtype("float32"), parameters, triangle, num_uniforms=2)

    scale = jnp.where(jnp.arange(size) % 2 == 0, 1.0, 1e6)
    values = np.asarray(in_chunks(draw, jax.random.key(0), (size,), (scale,)) / scale)
    same = np.asarray(in_chunks(draw, jax.random.key(1), (size,), (jnp.asarray(2.0),)) / 2)
    assert values.shape == same.shape == (size,)
    for x in (values, same):
        assert x.max() <= 1
        if size > 100:
            assert stats.kstest(x, stats.triang(1.0).cdf).pvalue > 1e-3
            assert stats.kstest(x[1::2], stats.triang(1.0).cdf).pvalue > 1e-3


@pytest.mark.parametrize("size", [100, 5000])
def test_never_accepted_elements_are_nan(size: int) -> None:
    scale = jnp.ones(size).at[7].set(jnp.nan)
    values = until_accepted(jax.random.key(2), (size,), jnp.dtype("float32"), (scale,), triangle, num_uniforms=2)
    assert np.flatnonzero(np.isnan(values)).tolist() == [7]


def test_chunks_differ() -> None:
    def draw(key: jax.Array, shape: tuple[int, ...], _: Arrays) -> jax.Array:
        return jax.random.uniform(key, shape)

    values = np.asarray(in_chunks(draw, jax.random.key(0), (3, 8192), ()))
    assert len(np.unique(values)) > 0.99 * values.size
