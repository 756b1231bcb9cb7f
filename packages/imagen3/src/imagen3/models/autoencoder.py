r"""The variational autoencoder: pictures to latents and back (Rombach et al., 2022, section 3.1).

A picture in [-1, 1] becomes a normal distribution for each latent, $z = \mu + e^{\log\sigma^2 / 2} n$. The first layer
folds squares of two by two pixels into channels, so that no layer works at the full resolution.
"""

from typing import NamedTuple

import torch
from einops import reduce
from jaxtyping import Float
from onepaper.errors import UsageError
from torch import Tensor, nn

from imagen3.config import AutoencoderConfig

# Bounds of the log-variance, as in the public autoencoders.
LOG_VARIANCE = (-30.0, 20.0)
GROUP = 8


class Latents(NamedTuple):
    """A normal distribution for each latent."""

    mean: Float[Tensor, "batch channels height width"]
    log_variance: Float[Tensor, "batch channels height width"]

    def draw(self, generator: torch.Generator) -> Float[Tensor, "batch channels height width"]:
        """A sample of each."""
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device)
        return self.mean + torch.exp(self.log_variance / 2) * noise

    def divergence(self) -> Float[Tensor, " batch"]:
        r"""$\mathrm{KL}(q \| N(0, 1)) = \frac12 \sum (\mu^2 + \sigma^2 - 1 - \log \sigma^2)$."""
        terms = self.mean.square() + self.log_variance.exp() - 1 - self.log_variance
        return terms.flatten(1).sum(1) / 2


class ResidualBlock(nn.Module):
    """Two convolutions with a skip connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_norm(channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1))
        self.second = nn.Sequential(_norm(channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1))
        nn.init.zeros_(self.second[-1].weight)  # pyright: ignore[reportArgumentType]
        nn.init.zeros_(self.second[-1].bias)  # pyright: ignore[reportArgumentType]

    def forward(self, h: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Of the same shape."""
        return h + self.second(self.first(h))


class Autoencoder(nn.Module):
    """Encoder and decoder.

    Args:
        config: the architecture; kept as `config`.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        halvings = config.factor.bit_length() - 2
        widths = [config.width, *[2 * config.width] * halvings]
        encoder: list[nn.Module] = [nn.PixelUnshuffle(2), nn.Conv2d(12, config.width, 3, padding=1)]
        for level, width in enumerate(widths):
            if level:
                encoder.append(nn.Conv2d(widths[level - 1], width, 4, stride=2, padding=1))
            encoder += [ResidualBlock(width) for _ in range(config.blocks)]
        encoder += [_norm(widths[-1]), nn.SiLU(), nn.Conv2d(widths[-1], 2 * config.channels, 3, padding=1)]
        self.encoder = nn.Sequential(*encoder)
        decoder: list[nn.Module] = [nn.Conv2d(config.channels, widths[-1], 3, padding=1)]
        for level in reversed(range(len(widths))):
            decoder += [ResidualBlock(widths[level]) for _ in range(config.blocks)]
            if level:
                decoder += [nn.Conv2d(widths[level], 4 * widths[level - 1], 3, padding=1), nn.PixelShuffle(2)]
        decoder += [_norm(config.width), nn.SiLU(), nn.Conv2d(config.width, 12, 3, padding=1), nn.PixelShuffle(2)]
        self.decoder = nn.Sequential(*decoder)
        # Latents of the denoiser are (z - shift) * scale, measured on the training pictures.
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))

    def encode(self, pictures: Float[Tensor, "batch 3 height width"]) -> Latents:
        """The distribution of each latent.

        Raises:
            UsageError: height or width are no multiples of `config.factor`.
        """
        check_pictures(pictures, self.config.factor)
        mean, log_variance = self.encoder(pictures).float().chunk(2, dim=1)
        return Latents(mean, log_variance.clamp(*LOG_VARIANCE))

    def decode(self, z: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch 3 height width"]:
        """Pictures, about in [-1, 1]."""
        return self.decoder(z).float()

    def normalize(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Latents of the autoencoder as those of the denoiser."""
        return (z - self.shift) * self.scale

    def unnormalize(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The inverse of `normalize`."""
        return z / self.scale + self.shift


def check_pictures(pictures: Float[Tensor, "batch 3 height width"], factor: int) -> None:
    """Raise `UsageError` unless there are three channels, and sides that are multiples of `factor`."""
    if pictures.ndim != 4 or pictures.shape[1] != 3 or any(side % factor for side in pictures.shape[2:]):
        raise UsageError(
            f"pictures have shape {tuple(pictures.shape)}, expected [batch, 3, height, width] with multiples of "
            f"{factor}; crop or resize them"
        )


def picture_error(
    predicted: Float[Tensor, "b c h w"], pictures: Float[Tensor, "b c h w"], edge_weight: float
) -> Float[Tensor, " b"]:
    """Mean absolute error, and `edge_weight` times that of differences between neighbours at three scales."""
    error = (predicted - pictures).abs().flatten(1).mean(1)
    difference = predicted - pictures
    for _ in range(3):
        for axis in (2, 3):
            error = error + edge_weight / 3 * difference.diff(dim=axis).abs().flatten(1).mean(1)
        # A mean, and not a pooling layer, which autocast would round to half precision.
        difference = reduce(difference, "b c (h p) (w q) -> b c h w", "mean", p=2, q=2)
    return error


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(channels // GROUP, channels)
