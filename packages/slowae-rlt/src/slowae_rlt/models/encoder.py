"""The encoder: samples to latents on a grid."""

import functools
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float
from onepaper.jax.linear import Linear

from slowae_rlt.config import MelConfig, ModelConfig
from slowae_rlt.data.mel import log_mel, window_context
from slowae_rlt.data.recordings import check_samples
from slowae_rlt.models.convolutions import Convolution, ResidualStack

# Standard deviation of initial latents: small, so that few are beyond 1, but not zero, where no level would change.
INITIAL_SCALE = 0.5

# Narrowest of the strided layers.
SMALLEST_WIDTH = 16

# Samples that are encoded at once. Every recording is computed in windows of one shape, one after the other, so that
# its codes do not depend on what else is encoded, nor on where it is cut.
WINDOW_SAMPLES = 8192


@runtime_checkable
class WindowEncoder(Protocol):
    """A network from samples with context to latents."""

    def context(self) -> tuple[int, int]:
        """Samples before the first latent's own, and after the last one's."""
        ...


class Encoder(nnx.Module):
    """Convolutions without padding, from samples or from a log-mel spectrogram on the grid."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        self.config = config
        encoder = config.encoder
        if encoder.inputs == "mel":
            self.mel = MelConfig(hop=encoder.stride)
            self.strided = nnx.List([])
            self.project = Linear(self.mel.bands, encoder.width, rngs=rngs)
        else:
            widths = [max(SMALLEST_WIDTH, encoder.width >> power) for power in reversed(range(len(encoder.strides)))]
            inputs = [1, *widths[:-1]]
            self.strided = nnx.List(
                [
                    Convolution(before, after, 2 * stride, rngs, stride=stride)
                    for before, after, stride in zip(inputs, widths, encoder.strides, strict=True)
                ]
            )
            self.project = Linear(widths[-1], encoder.width, rngs=rngs)
        self.stack = ResidualStack(encoder.width, encoder.dilations, rngs)
        self.norm = nnx.RMSNorm(encoder.width, rngs=rngs)
        scale = nnx.initializers.variance_scaling(INITIAL_SCALE**2, "fan_in", "normal")
        self.head = Linear(encoder.width, config.quantizer.channels, kernel_init=scale, rngs=rngs)

    def context(self) -> tuple[int, int]:
        """Samples that the first latent needs before those of its grid step, and the last one after its own."""
        stride = self.config.encoder.stride
        if self.config.encoder.inputs == "mel":
            before = after = window_context(self.mel)
        else:
            length = 1
            for layer in reversed(self.strided):
                length = layer.input_length(length)
            before = (length - stride) // 2
            after = length - stride - before
        return before + stride * self.stack.context, after + stride * self.stack.context

    def __call__(self, samples: Float[Array, "batch samples"]) -> Float[Array, "batch T C"]:
        """Latents of all grid steps whose context is there, in float32.

        Args:
            samples: those of T grid steps, with the context before and after them.
        """
        if self.config.encoder.inputs == "mel":
            features = log_mel(samples, self.mel, self.config.sample_rate)
        else:
            features = samples[..., None]
            for layer in self.strided:
                features = jax.nn.gelu(layer(features))
        states = self.stack(self.project(features))  # type: ignore[arg-type]
        latents = self.head(self.norm(states)).astype(jnp.float32)
        return jnp.tanh(latents) if self.config.quantizer.bound == "tanh" else latents


@functools.partial(jax.jit, static_argnums=0)
def _encode_window(graph: Any, state: Any, samples: Float[Array, "1 samples"]) -> Float[Array, "1 T C"]:
    return nnx.merge(graph, state)(samples)


def encode_windows(
    encoder: WindowEncoder, samples: Float[np.ndarray, " samples"], stride: int
) -> Float[np.ndarray, "T C"]:
    """Latents of a recording; around it there is silence.

    Args:
        encoder: a module.
        samples: of the recording.
        stride: samples of a latent.

    Raises:
        UsageError: samples that are no mono recording, see `check_samples`.
    """
    check_samples(samples)
    steps, size = -(-len(samples) // stride), max(1, WINDOW_SAMPLES // stride)
    before, after = encoder.context()
    windows = -(-steps // size)
    padded = np.zeros(before + windows * size * stride + after, np.float32)
    padded[before : before + len(samples)] = samples
    graph, state = nnx.split(encoder)
    found = [
        np.asarray(_encode_window(graph, state, padded[None, start : start + before + size * stride + after]))[0]
        for start in range(0, windows * size * stride, size * stride)
    ]
    return np.concatenate(found)[:steps]
