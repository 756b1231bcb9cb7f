"""A Vision Transformer on 16 x 16 patches of the spectrogram (Dosovitskiy et al., 2021)."""

import math

import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from torch import Tensor, nn
from torch.nn import functional as F

from hares.config import EncoderConfig

_PATCH, _HEAD_WIDTH = 16, 64


class ViT(nn.Module):
    """Patches with learned positions in time and frequency; the embedding is the class token."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.width
        self.max_frames = config.max_frames
        grid = math.ceil(config.max_frames / _PATCH), math.ceil(config.front_end.mels / _PATCH)
        self.patches = nn.Conv2d(1, width, _PATCH, _PATCH)
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, *grid, width))
        layer = nn.TransformerEncoderLayer(
            width, width // _HEAD_WIDTH, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, sum(config.depths), nn.LayerNorm(width), enable_nested_tensor=False)
        self.embed_dim = width

    def forward(self, x: Float[Tensor, "b 1 t f"]) -> Float[Tensor, "b d"]:
        """The embedding."""
        frames, bands = x.shape[-2:]
        if frames > self.max_frames:
            raise UsageError(f"{frames} frames, but vit has positions for {self.max_frames}; embed shorter crops")
        tokens = self.patches(F.pad(x, (0, -bands % _PATCH, 0, -frames % _PATCH))).permute(0, 2, 3, 1)
        tokens = (tokens + self.positions[:, : tokens.shape[1]]).flatten(1, 2)
        return self.blocks(torch.cat([self.token.expand(len(x), -1, -1), tokens], 1))[:, 0]
