"""A decoder from levels to a log-mel spectrogram, which trains in minutes."""

from einops import rearrange
from flax import nnx
from jaxtyping import Array, Float
from onepaper.jax.linear import Linear

from slowae_rlt.config import ModelConfig
from slowae_rlt.models.convolutions import ResidualStack


class MelDecoder(nnx.Module):
    """Residual blocks on the grid, then on frames of several grid steps."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        decoder = config.decoder
        self.frame_steps = decoder.frame_steps
        self.project = Linear(config.quantizer.channels, decoder.width, rngs=rngs)
        self.stack = ResidualStack(decoder.width, decoder.dilations, rngs)
        self.pool = Linear(decoder.frame_steps * decoder.width, decoder.width, rngs=rngs)
        self.frame_stack = ResidualStack(decoder.width, decoder.frame_dilations, rngs)
        self.norm = nnx.RMSNorm(decoder.width, rngs=rngs)
        self.head = Linear(decoder.width, decoder.mel.bands, rngs=rngs)

    @property
    def context(self) -> int:
        """Grid steps that are needed before the first and after the last frame."""
        return self.stack.context + self.frame_steps * self.frame_stack.context

    def __call__(self, levels: Float[Array, "batch T C"]) -> Float[Array, "batch frames bands"]:
        """The spectrogram of q / k, with the context on both sides of the frames' grid steps."""
        x = self.stack(self.project(levels))
        x = self.pool(rearrange(x, "b (f s) w -> b f (s w)", s=self.frame_steps))
        return self.head(self.norm(self.frame_stack(x)))
