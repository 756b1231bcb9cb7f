r"""The Transformer with relative positions that all networks share (paper, appendix A; Dai et al., 2019).

$S_{ij} = \left((q_i + u) \cdot k_j + (q_i + v) \cdot W_R\, r_{i-j}\right) / \sqrt{c}$ for heads of c channels, with
learned vectors u and v of each head and fixed sinusoids r of the signed offset.

Axes: B batch, L length, O offsets (2 L - 1), h heads, c channels of a head, d width.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from flax import nnx
from jaxtyping import Array, Bool, Float
from onepaper.jax.linear import Linear

from sed.config import AutoregressiveConfig, MaskedConfig, ModelConfig

NORM_EPSILON = 1e-5
MASKED_SCORE = -1e30

# Wavelength of the slowest sinusoid (Vaswani et al., 2017).
LONGEST_WAVELENGTH = 10_000.0

Config = ModelConfig | MaskedConfig | AutoregressiveConfig


def sinusoids(positions: Float[Array, " positions"], width: int) -> Float[Array, "positions {width}"]:
    """Sines and cosines of positions, with wavelengths from 2 pi to `LONGEST_WAVELENGTH` times that."""
    half = width // 2
    angles = positions[:, None] * LONGEST_WAVELENGTH ** -(np.arange(half) / half)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def align_offsets(scores: Float[Array, "*batch length offsets"]) -> Float[Array, "*batch length length"]:
    """$S_{ij} = P_{i,\\, L-1-i+j}$: scores by offset, the largest first, become scores by key (Dai et al., 2019,
    appendix B).

    A column in front, and rows that are one longer than their content, move each row by one place against the last.
    """
    *batch, length, offsets = scores.shape
    padded = jnp.pad(scores, [(0, 0)] * (len(batch) + 1) + [(1, 0)])
    rows = padded.reshape(*batch, offsets + 1, length)[..., 1:, :]
    return rows.reshape(*batch, length, offsets)[..., :length]


def linear(inputs: int, outputs: int, rngs: nnx.Rngs, *, scale: float = 1.0, use_bias: bool = True) -> Linear:
    """A linear layer with truncated normal weights of variance `scale`^2 / inputs."""
    if scale == 0.0:
        return Linear(inputs, outputs, use_bias=use_bias, kernel_init=nnx.initializers.zeros, rngs=rngs)
    kernel_init = nnx.initializers.variance_scaling(scale**2, "fan_in", "truncated_normal")
    return Linear(inputs, outputs, use_bias=use_bias, kernel_init=kernel_init, rngs=rngs)


class RelativeAttention(nnx.Module):
    """Multi-head self-attention with relative positions.

    Args:
        config: sizes.
        scale: of the initial output.
    """

    def __init__(self, config: Config, rngs: nnx.Rngs, *, scale: float) -> None:
        inner = config.heads * config.head_size
        self.heads = config.heads
        self.qkv = linear(config.width, 3 * inner, rngs)
        self.offsets = linear(config.width, inner, rngs, use_bias=False)
        self.content_bias = nnx.Param(jnp.zeros((config.heads, config.head_size)))
        self.position_bias = nnx.Param(jnp.zeros((config.heads, config.head_size)))
        self.out = linear(inner, config.width, rngs, scale=scale)

    def offset_keys(self, offsets: Float[Array, "offsets width"]) -> Float[Array, "offsets heads channels"]:
        """$W_R r$ of sinusoids of offsets."""
        return rearrange(self.offsets(offsets), "o (h c) -> o h c", h=self.heads)

    def project(self, x: Float[Array, "batch length width"]) -> tuple[Array, Array, Array]:
        """Queries, keys and values, [batch, length, heads, channels]."""
        q, k, v = rearrange(self.qkv(x), "b l (three h c) -> three b l h c", three=3, h=self.heads)
        return q / q.shape[-1] ** 0.5, k, v

    def biased(self, q: Array) -> tuple[Array, Array]:
        """Queries of contents and of positions; the biases are scaled like the queries."""
        scale = q.shape[-1] ** -0.5
        return q + scale * self.content_bias[...].astype(q.dtype), q + scale * self.position_bias[...].astype(q.dtype)

    def join(self, scores: Array, v: Array) -> Float[Array, "batch length width"]:
        """The output of the heads for scores [batch, heads, length, keys]."""
        probs = jax.nn.softmax(scores.astype(jnp.float32), axis=-1).astype(v.dtype)
        return self.out(rearrange(jnp.einsum("bhij,bjhc->bihc", probs, v), "b i h c -> b i (h c)"))

    def __call__(
        self,
        x: Float[Array, "batch length width"],
        keys: Float[Array, "offsets heads channels"],
        mask: Bool[Array, "length length"] | None = None,
    ) -> Float[Array, "batch length width"]:
        """Each position attends to all, or to those that the mask allows; `keys` are of `offset_keys`."""
        q, k, v = self.project(x)
        content, position = self.biased(q)
        by_offset = jnp.einsum("bihc,ohc->bhio", position, keys.astype(q.dtype))
        scores = jnp.einsum("bihc,bjhc->bhij", content, k) + align_offsets(by_offset)
        return self.join(scores if mask is None else jnp.where(mask, scores, MASKED_SCORE), v)


class Block(nnx.Module):
    """Attention and an MLP with GELU, each after a normalisation."""

    def __init__(self, config: Config, rngs: nnx.Rngs) -> None:
        scale = (2 * config.depth) ** -0.5
        hidden = config.mlp_ratio * config.width
        self.norm_attention = nnx.LayerNorm(config.width, epsilon=NORM_EPSILON, rngs=rngs)
        self.attention = RelativeAttention(config, rngs, scale=scale)
        self.norm_mlp = nnx.LayerNorm(config.width, epsilon=NORM_EPSILON, rngs=rngs)
        self.up = linear(config.width, hidden, rngs)
        self.down = linear(hidden, config.width, rngs, scale=scale)

    def mlp(self, x: Float[Array, "batch length width"]) -> Float[Array, "batch length width"]:
        """What the MLP adds to x."""
        return self.down(jax.nn.gelu(self.up(self.norm_mlp(x))))

    def __call__(
        self, x: Float[Array, "batch length width"], keys: Array, mask: Array | None = None
    ) -> Float[Array, "batch length width"]:
        """The states after the block."""
        x = x + self.attention(self.norm_attention(x), keys, mask)
        return x + self.mlp(x)


class Transformer(nnx.Module):
    """Blocks, stacked and compiled once, and a last normalisation.

    Args:
        config: sizes; `remat` of a denoiser computes activations again in the backward pass.
        causal: whether a position attends to itself and earlier ones only.
    """

    def __init__(self, config: Config, rngs: nnx.Rngs, *, causal: bool = False) -> None:
        self.width, self.causal = config.width, causal
        self.remat = isinstance(config, ModelConfig) and config.remat
        stacked = nnx.vmap(lambda key: Block(config, nnx.Rngs(key)))
        self.blocks = stacked(jax.random.split(rngs.params(), config.depth))
        self.norm = nnx.LayerNorm(config.width, epsilon=NORM_EPSILON, rngs=rngs)

    def offset_keys(self, length: int) -> Float[Array, "depth offsets heads channels"]:
        """$W_R r_o$ of each block for offsets o from L - 1 down to 1 - L; they depend on nothing but the weights."""
        offsets = sinusoids(jnp.arange(length - 1, -length, -1.0), self.width)
        graph, states = nnx.split(self.blocks)
        return jax.lax.map(lambda state: nnx.merge(graph, state).attention.offset_keys(offsets), states)

    def __call__(
        self, x: Float[Array, "batch length width"], keys: Float[Array, "depth offsets heads channels"]
    ) -> Float[Array, "batch length width"]:
        """The normalised states after all blocks."""
        mask = jnp.tril(jnp.ones((x.shape[1],) * 2, bool)) if self.causal else None
        return self.norm(self.scan(x, keys, lambda block, x, keys: (block(x, keys, mask), None))[0])

    def scan(self, x: Array, inputs: Any, apply: Callable[[Any, Array, Any], tuple[Array, Any]]) -> tuple[Array, Any]:
        """`apply(block, x, input)` for each block, which gives the next x and an output."""
        graph, states = nnx.split(self.blocks)

        def layer(x: Array, pair: Any) -> tuple[Array, Any]:
            return apply(nnx.merge(graph, pair[0]), x, pair[1])

        return jax.lax.scan(jax.checkpoint(layer) if self.remat else layer, x, (states, inputs))
