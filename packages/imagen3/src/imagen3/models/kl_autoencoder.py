"""The autoencoder of Rombach et al. (2022), for which there are published weights with 4 and 16 channels.

Its interface is that of `imagen3.models.autoencoder.Autoencoder`.
"""

import torch
from einops import rearrange
from jaxtyping import Float
from onepaper.fingerprint.marks import unmeasured
from torch import Tensor, nn

from imagen3.config import AutoencoderConfig
from imagen3.models.autoencoder import LOG_VARIANCE, Autoencoder, Latents, check_pictures

GROUPS, EPSILON = 32, 1e-6


class ResidualLayer(nn.Module):
    """Two convolutions with a skip connection, which is a layer where the numbers of channels differ."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.second = nn.Sequential(_norm(outputs), nn.SiLU(), nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, h: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Of the same height and width."""
        return self.skip(h) + self.second(self.first(h))


class PixelAttention(nn.Module):
    """Attention of one head among all positions, with a skip connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)

    def forward(self, h: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Of the same shape."""
        tokens = rearrange(self.norm(h), "b c h w -> b 1 (h w) c")
        q, k, v = self.qkv(tokens).chunk(3, dim=-1)
        attended = self.out(nn.functional.scaled_dot_product_attention(q, k, v))
        return h + rearrange(attended, "b 1 (h w) c -> b c h w", h=h.shape[2])


class Halve(nn.Module):
    """A convolution of stride 2, with zeros to the right and below only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, h: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        """Of half the height and width."""
        return self.convolution(nn.functional.pad(h, (0, 1, 0, 1)))


class Double(nn.Module):
    """Each pixel as four, and a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, h: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        """Of twice the height and width."""
        return self.convolution(nn.functional.interpolate(h, scale_factor=2.0, mode="nearest"))


@unmeasured
class KLAutoencoder(nn.Module):
    """Encoder and decoder.

    Args:
        config: the architecture, of kind kl; kept as `config`.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        widths, channels = config.widths, config.channels
        encoder: list[nn.Module] = [nn.Conv2d(3, widths[0], 3, padding=1)]
        for level, width in enumerate(widths):
            before = widths[max(level - 1, 0)]
            encoder += [ResidualLayer(before if index == 0 else width, width) for index in range(config.blocks)]
            if level < len(widths) - 1:
                encoder.append(Halve(width))
        deepest = widths[-1]
        encoder += [*_middle(deepest), _norm(deepest), nn.SiLU(), nn.Conv2d(deepest, 2 * channels, 3, padding=1)]
        decoder: list[nn.Module] = [nn.Conv2d(channels, deepest, 3, padding=1), *_middle(deepest)]
        before = deepest
        for level in reversed(range(len(widths))):
            width = widths[level]
            decoder += [ResidualLayer(before if index == 0 else width, width) for index in range(config.blocks + 1)]
            before = width
            if level:
                decoder.append(Double(width))
        decoder += [_norm(before), nn.SiLU(), nn.Conv2d(before, 3, 3, padding=1)]
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)
        self.quant = nn.Conv2d(2 * channels, 2 * channels, 1) if config.quantized else nn.Identity()
        self.post_quant = nn.Conv2d(channels, channels, 1) if config.quantized else nn.Identity()
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))

    def encode(self, pictures: Float[Tensor, "batch 3 height width"]) -> Latents:
        """The distribution of each latent.

        Raises:
            UsageError: height or width are no multiples of `config.factor`.
        """
        check_pictures(pictures, self.config.factor)
        mean, log_variance = self.quant(self.encoder(pictures)).float().chunk(2, dim=1)
        return Latents(mean, log_variance.clamp(*LOG_VARIANCE))

    def decode(self, z: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch 3 height width"]:
        """Pictures, about in [-1, 1]."""
        return self.decoder(self.post_quant(z)).float()

    normalize, unnormalize = Autoencoder.normalize, Autoencoder.unnormalize


def _middle(channels: int) -> list[nn.Module]:
    return [ResidualLayer(channels, channels), PixelAttention(channels), ResidualLayer(channels, channels)]


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(GROUPS, channels, eps=EPSILON)
