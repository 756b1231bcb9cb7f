"""Parts of encoder-decoder Transformers (Vaswani et al., 2017): attention with padding, blocks, the encoder.

Normalisation is in front of each part. Axes: B batch, S source, L target, h width.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from einops import rearrange
from flax import nnx
from jaxtyping import Array, Bool, Float
from onepaper.jax.linear import Linear

from cdcd.models.attention import NORM_EPSILON, scan_blocks

# Wavelength of the slowest pair of sinusoidal positions.
LONGEST_WAVELENGTH = 10_000.0


class Memory(NamedTuple):
    """The encoded source, and which of its positions are not padding."""

    states: Float[Array, "batch source width"]
    present: Bool[Array, "batch source"]


def sinusoidal_positions(length: int, width: int) -> Float[np.ndarray, "{length} {width}"]:
    r"""$\sin(p\, W^{-2i/h})$ in the first half of the channels, the cosine in the second (Vaswani et al., 2017)."""
    angles = np.arange(length)[:, None] * LONGEST_WAVELENGTH ** -(np.arange(0, width, 2) / width)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1).astype(np.float32)


class MemoryAttention(nnx.Module):
    """Multi-head attention of states to a memory, which may be the states themselves.

    Args:
        width: of inputs and outputs.
        heads: number of heads.
    """

    def __init__(self, width: int, heads: int, rngs: nnx.Rngs) -> None:
        self.heads = heads
        self.query = Linear(width, width, rngs=rngs)
        self.key_value = Linear(width, 2 * width, rngs=rngs)
        self.out = Linear(width, width, rngs=rngs)

    def keys_values(self, memory: Float[Array, "batch keys width"]) -> tuple[Array, Array]:
        """Keys and values, [batch, keys, heads, channels]."""
        keys, values = rearrange(self.key_value(memory), "b l (two h c) -> two b l h c", two=2, h=self.heads)
        return keys, values

    def attend(
        self, x: Float[Array, "batch length width"], keys: Array, values: Array, mask: Bool[Array, "..."] | None
    ) -> Float[Array, "batch length width"]:
        """The output for these keys and values; the mask, [batch or 1, 1, length or 1, keys], is true where seen."""
        q = rearrange(self.query(x), "b l (h c) -> b l h c", h=self.heads)
        found = jax.nn.dot_product_attention(q, keys, values, mask=mask)
        return self.out(rearrange(found, "b l h c -> b l (h c)"))

    def __call__(
        self, x: Float[Array, "batch length width"], memory: Float[Array, "batch keys width"], mask: Array | None
    ) -> Float[Array, "batch length width"]:
        """The output, to be added to x."""
        return self.attend(x, *self.keys_values(memory), mask)


class ReluMLP(nnx.Module):
    """Two layers with ReLU."""

    def __init__(self, width: int, hidden: int, rngs: nnx.Rngs) -> None:
        self.up = Linear(width, hidden, rngs=rngs)
        self.down = Linear(hidden, width, rngs=rngs)

    def __call__(self, x: Float[Array, "*batch width"]) -> Float[Array, "*batch width"]:
        """The outputs, to be added to x."""
        return self.down(jax.nn.relu(self.up(x)))


class EncoderBlock(nnx.Module):
    """Attention to all positions that are not padding, and an MLP."""

    def __init__(self, width: int, heads: int, mlp_ratio: int, rngs: nnx.Rngs) -> None:
        self.norm_attention = nnx.LayerNorm(width, epsilon=NORM_EPSILON, rngs=rngs)
        self.attention = MemoryAttention(width, heads, rngs)
        self.norm_mlp = nnx.LayerNorm(width, epsilon=NORM_EPSILON, rngs=rngs)
        self.mlp = ReluMLP(width, mlp_ratio * width, rngs)

    def __call__(self, x: Float[Array, "batch source width"], mask: Array) -> Float[Array, "batch source width"]:
        """The states after the block."""
        normed = self.norm_attention(x)
        x = x + self.attention(normed, normed, mask)
        return x + self.mlp(self.norm_mlp(x))


class Encoder(nnx.Module):
    """Embedded sources as a memory of the decoder.

    Args:
        embed_dim: channels of the embeddings.
        width: of the Transformer.
        depth: number of blocks.
        heads: number of heads.
        mlp_ratio: hidden width of each MLP divided by the width.
        remat: rematerialize the activations of each block in the backward pass.
    """

    def __init__(
        self, embed_dim: int, width: int, depth: int, heads: int, mlp_ratio: int, rngs: nnx.Rngs, *, remat: bool = False
    ) -> None:
        self.remat = remat
        self.embed_inputs = Linear(embed_dim, width, rngs=rngs)
        stacked = nnx.vmap(lambda key: EncoderBlock(width, heads, mlp_ratio, nnx.Rngs(key)))
        self.blocks = stacked(jax.random.split(rngs.params(), depth))
        self.norm = nnx.LayerNorm(width, epsilon=NORM_EPSILON, rngs=rngs)

    def __call__(self, embedded: Float[Array, "batch source embed"], present: Bool[Array, "batch source"]) -> Memory:
        """The memory; padding is neither seen nor part of it."""
        x = self.embed_inputs(embedded).astype(embedded.dtype)
        x = x + sinusoidal_positions(*x.shape[1:])
        mask = present[:, None, None]
        x = scan_blocks(self.blocks, x, lambda block, x: block(x, mask), remat=self.remat)
        return Memory(self.norm(x), present)


class DecoderBlock(nnx.Module):
    """Attention to the target, attention to the source, and an MLP, each after a normalisation.

    Args:
        width: of the states.
        heads: number of heads.
        mlp_ratio: hidden width of the MLP divided by the width.
        make_norm: makes a normalisation, which is called with the states and the conditioning.
    """

    def __init__(
        self, width: int, heads: int, mlp_ratio: int, make_norm: Callable[[nnx.Rngs], nnx.Module], rngs: nnx.Rngs
    ) -> None:
        self.norm_target, self.norm_source, self.norm_mlp = (make_norm(rngs) for _ in range(3))
        self.attention = MemoryAttention(width, heads, rngs)
        self.attention_to_source = MemoryAttention(width, heads, rngs)
        self.mlp = ReluMLP(width, mlp_ratio * width, rngs)

    def __call__(
        self, x: Float[Array, "batch length width"], memory: Memory, mask: Array | None, *conditioning: Any
    ) -> Float[Array, "batch length width"]:
        """The states after the block.

        Args:
            x: states.
            memory: the encoded source.
            mask: which target positions see which; None: all see all.
            conditioning: passed on to the normalisations.
        """
        normed = self.norm_target(x, *conditioning)  # type: ignore[operator]
        x = x + self.attention(normed, normed, mask)
        normed = self.norm_source(x, *conditioning)  # type: ignore[operator]
        x = x + self.attention_to_source(normed, memory.states, memory.present[:, None, None])
        return x + self.mlp(self.norm_mlp(x, *conditioning))  # type: ignore[operator]
