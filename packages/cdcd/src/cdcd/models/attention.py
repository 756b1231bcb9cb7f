"""The Transformer block that the denoiser and the causal model share."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from flax import nnx
from jaxtyping import Array, Float, Int
from onepaper.jax.linear import Linear

NORM_EPSILON = 1e-5

# Wavelength of the slowest rotary pair (Su et al., 2021).
LONGEST_WAVELENGTH = 10_000.0

Norm = Callable[[Array], Array]


def rotate(
    x: Float[Array, "batch length heads channels"], positions: Int[Array, " length"]
) -> Float[Array, "batch length heads channels"]:
    r"""Rotary positions: channels i and i + c/2 of c are rotated by $p\, W^{-2i/c}$ (Su et al., 2021)."""
    half = x.shape[-1] // 2
    angles = positions[:, None] * LONGEST_WAVELENGTH ** -(np.arange(half) / half)
    cosine, sine = (f(angles)[:, None].astype(x.dtype) for f in (jnp.cos, jnp.sin))
    first, second = x[..., :half], x[..., half:]
    return jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


class Attention(nnx.Module):
    """Multi-head self-attention.

    Args:
        width: of inputs and outputs.
        heads: number of heads.
        rotary: whether queries and keys have rotary positions.
    """

    def __init__(self, width: int, heads: int, rngs: nnx.Rngs, *, rotary: bool = True) -> None:
        self.heads, self.rotary = heads, rotary
        self.qkv = Linear(width, 3 * width, rngs=rngs)
        self.out = Linear(width, width, rngs=rngs)

    def project(
        self, x: Float[Array, "batch length width"], positions: Int[Array, " length"]
    ) -> tuple[Array, Array, Array]:
        """Queries, keys and values, [batch, length, heads, channels]."""
        q, k, v = rearrange(self.qkv(x), "b l (three h c) -> three b l h c", three=3, h=self.heads)
        return (rotate(q, positions), rotate(k, positions), v) if self.rotary else (q, k, v)

    def join(self, mixed: Float[Array, "batch length heads channels"]) -> Float[Array, "batch length width"]:
        """The output of the heads."""
        return self.out(rearrange(mixed, "b l h c -> b l (h c)"))

    def __call__(self, x: Float[Array, "batch length width"], *, causal: bool) -> Float[Array, "batch length width"]:
        """Every position attends to all, or to those up to itself."""
        q, k, v = self.project(x, jnp.arange(x.shape[1]))
        return self.join(jax.nn.dot_product_attention(q, k, v, is_causal=causal))


class MLP(nnx.Module):
    """Two layers with GELU."""

    def __init__(self, width: int, hidden: int, rngs: nnx.Rngs) -> None:
        self.up = Linear(width, hidden, rngs=rngs)
        self.down = Linear(hidden, width, rngs=rngs)

    def __call__(self, x: Float[Array, "*batch width"]) -> Float[Array, "*batch width"]:
        """The outputs, to be added to x."""
        return self.down(jax.nn.gelu(self.up(x)))


def scan_blocks(blocks: nnx.Module, x: Array, apply: Callable[[Any, Array], Array], *, remat: bool = False) -> Array:
    """`apply(block, x)` for each of the stacked blocks, compiled once.

    Args:
        blocks: made by `nnx.vmap`, with the blocks on the first axis of each parameter.
        x: input of the first block.
        apply: a block's output.
        remat: compute activations again in the backward pass.
    """
    graph, states = nnx.split(blocks)

    def layer(x: Array, state: Any) -> tuple[Array, None]:
        return apply(nnx.merge(graph, state), x), None

    return jax.lax.scan(jax.checkpoint(layer) if remat else layer, x, states)[0]
