"""Token embeddings on a sphere, the noise on them, and the inputs of the network (paper, sections 3 and 4)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

# With embeddings of scale 1e-3 and few channels, squared norms are near 1e-6: a larger value would distort them.
SMALLEST_NORM = 1e-12


def normalize(table: Float[Array, "*batch embed"]) -> Float[Array, "*batch embed"]:
    r"""$\sqrt{d}\, E / \lVert E \rVert_2$ for each row: components have mean square 1 (paper, section 6.1)."""
    # The root of a sum of squares has no gradient at 0, so the square is bounded instead of the norm.
    squares = jnp.maximum(jnp.square(table).sum(axis=-1, keepdims=True), SMALLEST_NORM**2)
    return table * (table.shape[-1] ** 0.5 * jax.lax.rsqrt(squares))


def add_noise(
    key: PRNGKeyArray, embedded: Float[Array, "batch length embed"], t: Float[Array, " batch"]
) -> Float[Array, "batch length embed"]:
    r"""$x_t = e + t\, \varepsilon$ with standard normal noise, one level for each sequence (paper, section 3.3)."""
    return embedded + t[:, None, None] * jax.random.normal(key, embedded.shape, embedded.dtype)


def scale_input(x: Float[Array, "batch length embed"], t: Float[Array, " batch"]) -> Float[Array, "batch length embed"]:
    r"""$x / \sqrt{t^2 + 1}$, which has unit variance at every noise level (paper, section 6.1)."""
    return x * jax.lax.rsqrt(jnp.square(t) + 1.0)[:, None, None]


def nearest_tokens(x: Float[Array, "*batch embed"], embeddings: Float[Array, "vocab embed"]) -> Int[Array, "*batch"]:
    """The token of the nearest embedding: all have the same norm, so it has the largest product."""
    return jnp.argmax(x @ embeddings.T, axis=-1)


def spread(embeddings: Float[Array, "vocab embed"]) -> Float[Array, ""]:
    r"""Mean squared distance between embeddings, relative to independent directions: $1 - \lVert\bar e\rVert^2/d$.

    It is near 1 for embeddings in all directions, and 0 once they have collapsed into one.
    """
    return 1.0 - jnp.square(embeddings.mean(axis=0)).sum() / jnp.square(embeddings).sum(axis=-1).mean()
