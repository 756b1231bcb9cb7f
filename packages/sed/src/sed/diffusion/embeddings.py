r"""Tables of token embeddings, whose rows have norm $\sqrt D$ (paper, section 3.1)."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper.errors import UsageError


def normalize_rows(table: Float[Array, "vocab embed"]) -> Float[Array, "vocab embed"]:
    r"""$\sqrt D\, e_w / \lVert e_w \rVert$, so that the mean square of a coordinate is 1, as of standard noise."""
    return table * (table.shape[-1] / jnp.square(table).sum(axis=-1, keepdims=True)) ** 0.5


def random_table(key: PRNGKeyArray, vocab_size: int, embed_dim: int) -> Float[Array, "{vocab_size} {embed_dim}"]:
    """Gaussian rows, normalised (paper, table 5: random embeddings)."""
    return normalize_rows(jax.random.normal(key, (vocab_size, embed_dim)))


def bit_table(vocab_size: int) -> Float[Array, "{vocab_size} bits"]:
    r"""Each token's number in binary, as -1 and 1, the lowest bit first (paper, table 5: bits).

    $K = \lceil \log_2 V \rceil$ bits, a vector of norm $\sqrt K$.
    """
    bits = max(1, (vocab_size - 1).bit_length())
    return jnp.asarray((np.arange(vocab_size)[:, None] >> np.arange(bits) & 1) * 2.0 - 1.0, jnp.float32)


def bits_to_tokens(x: Float[Array, "*batch bits"], vocab_size: int, unknown: int = 0) -> Int[Array, "*batch"]:
    """Tokens by the signs of x; numbers that are no token become `unknown`."""
    numbers = ((x > 0) * (1 << jnp.arange(x.shape[-1]))).sum(axis=-1)
    return jnp.where(numbers < vocab_size, numbers, unknown)


def spread(embedded: Float[Array, "*batch embed"]) -> Float[Array, ""]:
    r"""$1 - \lVert\bar x\rVert^2 / D$ for embeddings of norm $\sqrt D$ with the mean $\bar x$.

    The mean squared distance of two of them, relative to that of independent directions: near 1 for embeddings in all
    directions, 0 where all are equal. It is also the error of the best estimate that does not look at its input, the
    mean.
    """
    return 1.0 - jnp.square(embedded.reshape(-1, embedded.shape[-1]).mean(axis=0)).mean()


def nearest_tokens(x: Float[Array, "*batch embed"], table: Float[Array, "vocab embed"]) -> Int[Array, "*batch"]:
    """The token of the nearest row; rows of equal norm are compared by their product with x."""
    return jnp.argmax(x @ table.T, axis=-1)


def import_table(table: Float[np.ndarray, "vocab width"], embed_dim: int) -> Float[np.ndarray, "vocab {embed_dim}"]:
    r"""A table from elsewhere: centred, reduced to D directions by principal components, rows of norm $\sqrt D$.

    Args:
        table: a row for each token.
        embed_dim: D, at most the width of the table.

    Raises:
        UsageError: rows that are not finite, that have no direction once centred, or a width below D.
    """
    if table.ndim != 2 or table.shape[1] < embed_dim:
        raise UsageError(f"the table has the shape {table.shape}, expected rows of at least {embed_dim} numbers")
    values = table.astype(np.float64)
    if not np.isfinite(values).all():
        rows = np.flatnonzero(~np.isfinite(values).all(axis=1))
        raise UsageError(f"the rows of tokens {_shortened(rows)} are not finite; give another table")
    centred = values - values.mean(axis=0)
    if table.shape[1] > embed_dim:
        directions = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :embed_dim]
        centred = centred @ directions
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    if (flat := norms[:, 0] <= 1e-6 * norms.max()).any():
        rows = _shortened(np.flatnonzero(flat))
        raise UsageError(f"the rows of tokens {rows} have no direction (zero, or the mean row); leave these tokens out")
    return (centred * np.sqrt(embed_dim) / norms).astype(np.float32)


def _shortened(rows: np.ndarray, most: int = 8) -> str:
    return ", ".join(map(str, rows[:most])) + (f" and {len(rows) - most} more" if len(rows) > most else "")
