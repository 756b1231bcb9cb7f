"""Convolutions without padding, as matrix products, and residual blocks of them.

Every layer gives only those positions whose inputs are all there. So the values at a position do not depend on where a
window ends, and windows can be computed one by one.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from onepaper.jax.linear import Linear

# Positions that a block reads.
TAPS = 3


class Convolution(nnx.Module):
    """A convolution of `taps` inputs `dilation` apart, every `stride` positions, without padding."""

    def __init__(
        self, inputs: int, outputs: int, taps: int, rngs: nnx.Rngs, *, stride: int = 1, dilation: int = 1
    ) -> None:
        self.taps, self.stride, self.dilation = taps, stride, dilation
        self.linear = Linear(taps * inputs, outputs, rngs=rngs)

    def input_length(self, length: int) -> int:
        """Input positions of so many outputs."""
        return (length - 1) * self.stride + (self.taps - 1) * self.dilation + 1

    def __call__(self, x: Float[Array, "batch length inputs"]) -> Float[Array, "batch shorter outputs"]:
        """All complete outputs."""
        reach = (self.taps - 1) * self.dilation
        count = (x.shape[1] - reach - 1) // self.stride + 1
        parts = [
            jax.lax.slice_in_dim(
                x, tap * self.dilation, tap * self.dilation + (count - 1) * self.stride + 1, self.stride, 1
            )
            for tap in range(self.taps)
        ]
        return self.linear(jnp.concatenate(parts, axis=-1))


class ResidualBlock(nnx.Module):
    """x + W gelu(convolution(norm(x))), shorter by twice the dilation."""

    def __init__(self, width: int, dilation: int, rngs: nnx.Rngs) -> None:
        self.dilation = dilation
        self.norm = nnx.RMSNorm(width, rngs=rngs)
        self.convolution = Convolution(width, width, TAPS, rngs, dilation=dilation)
        self.linear = Linear(width, width, rngs=rngs)

    def __call__(self, x: Float[Array, "batch length width"]) -> Float[Array, "batch shorter width"]:
        """The block at all complete positions."""
        update = self.linear(jax.nn.gelu(self.convolution(self.norm(x))))
        return x[:, self.dilation : x.shape[1] - self.dilation] + update


class ResidualStack(nnx.Module):
    """Residual blocks; `context` positions are lost on each side."""

    def __init__(self, width: int, dilations: Sequence[int], rngs: nnx.Rngs) -> None:
        self.blocks = nnx.List([ResidualBlock(width, dilation, rngs) for dilation in dilations])
        self.context = sum(dilations)

    def __call__(self, x: Float[Array, "batch length width"]) -> Float[Array, "batch shorter width"]:
        """All blocks in order."""
        for block in self.blocks:
            x = block(x)
        return x
