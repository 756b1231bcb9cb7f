"""Convolutions around the blocks of MM-DiT (Hoogeboom et al., 2023, section 3.3).

Residual blocks of convolutions work at the resolution of the latents with half of the width, and the joint blocks of
text and picture in the middle at a lower one; what the convolutions have before the middle is added behind it.
"""

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from onepaper.fingerprint.marks import unmeasured
from torch import Tensor, nn

from imagen3.config import DenoiserConfig
from imagen3.models.mmdit import (
    TIME_FEATURES,
    TIME_SCALE,
    Block,
    check_latents,
    from_patches,
    initialize,
    modulate,
    to_patches,
)
from imagen3.models.positions import frequency_features, rotary_angles
from imagen3.text.encoder import TextFeatures

# Residual blocks before the middle, and as many behind it.
CONVOLUTIONS = 2


class ConvolutionBlock(nn.Module):
    """Two convolutions that the noise level and the text modulate, with a skip connection."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(width, 3 * channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "B C H W"], condition: Float[Tensor, "B D"]) -> Float[Tensor, "B C H W"]:
        """Of the same shape."""
        shift, scale, gate = self.modulation(condition)[:, None].chunk(3, dim=-1)
        h = rearrange(modulate(x.flatten(2).transpose(1, 2), shift, scale), "b (h w) c -> b c h w", h=x.shape[2])
        return x + gate.transpose(1, 2)[..., None] * self.second(F.silu(self.first(h)))


@unmeasured
class UViT(nn.Module):
    r"""$v_\theta(z_t, t, c)$; a token of the middle has `patch` by `patch` latents.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        width, half, area = config.width, config.width // 2, config.patch**2
        self.latents_in = nn.Conv2d(config.channels, half, 3, padding=1)
        self.text_in = nn.Linear(config.text_dim, width)
        self.time_in = nn.Sequential(nn.Linear(TIME_FEATURES, width), nn.SiLU(), nn.Linear(width, width))
        self.pooled_in = nn.Sequential(nn.Linear(config.pooled_dim, width), nn.SiLU(), nn.Linear(width, width))
        self.before = nn.ModuleList(ConvolutionBlock(half, width) for _ in range(CONVOLUTIONS))
        self.down, self.up = nn.Linear(area * half, width), nn.Linear(width, area * half)
        self.blocks = nn.ModuleList(Block(config, last=index == config.depth - 1) for index in range(config.depth))
        self.behind = nn.ModuleList(ConvolutionBlock(half, width) for _ in range(CONVOLUTIONS))
        self.final_modulation = nn.Linear(width, 2 * half)
        self.final = nn.Conv2d(half, config.output_channels or config.channels, 3, padding=1)
        initialize(self)
        nn.init.zeros_(self.final.bias)  # pyright: ignore[reportArgumentType]

    def forward(
        self, z: Float[Tensor, "B C H W"], t: Float[Tensor, " B"], text: TextFeatures
    ) -> Float[Tensor, "B C H W"]:
        """The prediction, of z's height and width and in float32.

        Raises:
            UsageError: z has other channels than the configuration, or sides that are no multiples of the patch.
        """
        config, patch = self.config, self.config.patch
        check_latents(z, config)
        rows, columns = z.shape[2] // patch, z.shape[3] // patch
        condition = F.silu(
            self.time_in(frequency_features(TIME_SCALE * t, TIME_FEATURES)) + self.pooled_in(text.pooled)
        )
        x = self.latents_in(z)
        for block in self.before:
            x = block(x, condition)
        image = self.down(to_patches(x, patch))
        words = self.text_in(text.tokens)
        angles = rotary_angles(rows, columns, words.shape[1], config.width // config.heads).to(z.device)
        mask = F.pad(text.mask, (0, rows * columns), value=True)[:, None, None] if config.mask_padding else None
        for block in self.blocks:
            words, image = block(words, image, condition, mask, angles)
        x = x + from_patches(self.up(image), rows, patch)
        for block in self.behind:
            x = block(x, condition)
        shift, scale = self.final_modulation(condition)[:, None].chunk(2, dim=-1)
        h = modulate(x.flatten(2).transpose(1, 2), shift, scale)
        return self.final(rearrange(h, "b (h w) c -> b c h w", h=z.shape[2])).float()


def uvit_parameter_count(config: DenoiserConfig) -> int:
    """Number of parameters in closed form.

    Blocks as of MM-DiT, and with C = D / 2 channels 18 C^2 + 2 C + 3 C (D + 1) for each block of convolutions.
    """
    width, half, area = config.width, config.width // 2, config.patch**2
    norms = 4 * (width // config.heads) if config.qk_norm else 0
    blocks = (config.depth - 1) * (36 * width**2 + 30 * width + norms) + 23 * width**2 + 20 * width + norms
    convolutions = 2 * CONVOLUTIONS * (18 * half**2 + 2 * half + 3 * half * (width + 1))
    inputs = (9 * config.channels + 1) * half + (config.text_dim + TIME_FEATURES + config.pooled_dim + 5) * width
    inputs += 2 * width**2
    middle = 2 * area * half * width + width + area * half
    outputs = config.output_channels or config.channels
    return blocks + convolutions + inputs + middle + 2 * half * (width + 1) + (9 * half + 1) * outputs
