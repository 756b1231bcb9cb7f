"""The encoder: samples to latents on a grid."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from slowae_rlt.config import MelConfig, ModelConfig
from slowae_rlt.data.mel import log_mel, window_context
from slowae_rlt.models.convolutions import Convolution, ResidualStack

# Standard deviation of initial latents: small, so that few are beyond 1, but not zero, where no level would change.
INITIAL_SCALE = 0.5

# Narrowest of the strided layers.
SMALLEST_WIDTH = 16


class Encoder(nnx.Module):
    """Convolutions without padding, from samples or from a log-mel spectrogram on the grid."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        self.config = config
        encoder = config.encoder
        if encoder.inputs == "mel":
            self.mel = MelConfig(hop=encoder.stride)
            self.strided = nnx.List([])
            self.project = nnx.Linear(self.mel.bands, encoder.width, rngs=rngs)
        else:
            widths = [max(SMALLEST_WIDTH, encoder.width >> power) for power in reversed(range(len(encoder.strides)))]
            inputs = [1, *widths[:-1]]
            self.strided = nnx.List(
                [
                    Convolution(before, after, 2 * stride, rngs, stride=stride)
                    for before, after, stride in zip(inputs, widths, encoder.strides, strict=True)
                ]
            )
            self.project = nnx.Linear(widths[-1], encoder.width, rngs=rngs)
        self.stack = ResidualStack(encoder.width, encoder.dilations, rngs)
        self.norm = nnx.RMSNorm(encoder.width, rngs=rngs)
        scale = nnx.initializers.variance_scaling(INITIAL_SCALE**2, "fan_in", "normal")
        self.head = nnx.Linear(encoder.width, config.quantizer.channels, kernel_init=scale, rngs=rngs)

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
