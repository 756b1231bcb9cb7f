r"""The vocabulary side of the network: cross-entropy and expected embeddings, a chunk of positions at a time.

Logits of all positions take B L V numbers, for the paper's base model 8 GB. In chunks of C positions, whose logits are
computed again in the backward pass, they take C V.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int
from onepaper.jax.linear import linear_dot_general

from cdcd.diffusion.score import expected_embedding


def compute_logits(
    hidden: Float[Array, "*batch width"], kernel: Float[Array, "width vocab"], bias: Float[Array, " vocab"]
) -> Float[Array, "*batch vocab"]:
    """Logits in at least float32; the product is in the precision of the hidden states."""
    dtype = jnp.promote_types(hidden.dtype, jnp.float32)
    contracted = (((hidden.ndim - 1,), (0,)), ((), ()))
    product = linear_dot_general(hidden, kernel.astype(hidden.dtype), contracted, preferred_element_type=dtype)
    return product + bias


def cross_entropy(
    hidden: Float[Array, "*batch width"],
    kernel: Float[Array, "width vocab"],
    bias: Float[Array, " vocab"],
    targets: Int[Array, "*batch"],
    chunk: int = 0,
) -> Float[Array, "*batch"]:
    r"""$-\ln p(\mathrm{target})$ at each position, in nats.

    Args:
        hidden: states before the last layer.
        kernel: weights of the last layer.
        bias: its biases.
        targets: tokens.
        chunk: positions whose logits are in memory at once; 0: all.
    """

    def nats(hidden: Array, targets: Array) -> Array:
        logits = compute_logits(hidden, kernel, bias)
        chosen = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
        return jax.nn.logsumexp(logits, axis=-1) - chosen

    return _in_chunks(nats, chunk, hidden, targets)


def predict_embedding(
    hidden: Float[Array, "*batch width"],
    kernel: Float[Array, "width vocab"],
    bias: Float[Array, " vocab"],
    embeddings: Float[Array, "vocab embed"],
    chunk: int = 0,
) -> Float[Array, "*batch embed"]:
    r"""$\hat x_0 = \sum_i \mathrm{softmax}(\mathrm{logits})_i\, e_i$ at each position; arguments as above."""

    def predict(hidden: Array) -> Array:
        return expected_embedding(jax.nn.softmax(compute_logits(hidden, kernel, bias), axis=-1), embeddings)

    return _in_chunks(predict, chunk, hidden)


def _in_chunks(function: Callable[..., Array], chunk: int, hidden: Array, *others: Array) -> Array:
    """`function` of arrays whose first axes are positions, by chunks of them; the last chunk is padded."""
    positions = hidden.shape[:-1]
    count = hidden[..., 0].size
    if not chunk or count <= chunk:
        return function(hidden, *others)
    parts = -(-count // chunk)

    def split(array: Array) -> Array:
        flat = array.reshape(count, *array.shape[len(positions) :])
        padded = jnp.pad(flat, [(0, parts * chunk - count)] + [(0, 0)] * (flat.ndim - 1))
        return padded.reshape(parts, chunk, *flat.shape[1:])

    found = jax.lax.map(lambda arrays: jax.checkpoint(function)(*arrays), tuple(split(a) for a in (hidden, *others)))
    flat = found.reshape(parts * chunk, *found.shape[2:])[:count]
    return flat.reshape(*positions, *flat.shape[1:])
