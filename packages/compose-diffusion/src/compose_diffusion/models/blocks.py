"""Layers of the U-Nets of digits and of canvases: time embedding and residual block.

Axes: B batch, C channels, H and W height and width, E embedding.
"""

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

# The frequencies suit times up to about 1000; levels of shorter schedules are scaled to that range.
TIME_RANGE = 1000.0
# Channels of a normalisation group.
GROUP_WIDTH = 8


def sinusoidal_embedding(time: Float[Tensor, " batch"], dim: int) -> Float[Tensor, "batch dim"]:
    r"""$[\cos(\omega_k t), \sin(\omega_k t)]$ with $\omega_k = 10^{-4k / (dim/2)}$."""
    frequencies = torch.exp(-math.log(10_000.0) * torch.arange(dim // 2, device=time.device) / (dim // 2))
    angles = time[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class TimeEmbedding(nn.Module):
    """Noise level t in 0 .. num_levels - 1 as a vector."""

    def __init__(self, num_levels: int, embed_dim: int) -> None:
        super().__init__()
        self.num_levels = num_levels
        self.embed_dim = embed_dim
        self.hidden = nn.Linear(embed_dim, embed_dim)
        self.out = nn.Linear(embed_dim, embed_dim)

    def forward(self, t: Int[Tensor, " batch"]) -> Float[Tensor, "batch embed_dim"]:
        """[B] -> [B, E]."""
        time = t.to(self.hidden.weight.dtype) * (TIME_RANGE / self.num_levels)
        return self.out(F.silu(self.hidden(sinusoidal_embedding(time, self.embed_dim))))


class ResidualBlock(nn.Module):
    """x + conv(silu(scale * norm(conv(silu(norm(x)))) + shift)); the embedding gives scale and shift."""

    def __init__(self, in_channels: int, out_channels: int, embed_dim: int, dropout: float) -> None:
        super().__init__()
        self.norm_in = group_norm(in_channels)
        self.conv_in = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.modulation = nn.Linear(embed_dim, 2 * out_channels)
        self.norm_out = group_norm(out_channels)
        self.dropout = nn.Dropout(dropout)
        self.conv_out = zeroed(nn.Conv2d(out_channels, out_channels, 3, padding=1))
        self.skip = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else nn.Identity()

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"], embedding: Float[Tensor, "batch embed_dim"]
    ) -> Float[Tensor, "batch out_channels height width"]:
        """[B, C, H, W], [B, E] -> [B, C', H, W]."""
        h = self.conv_in(F.silu(self.norm_in(x)))
        scale, shift = rearrange(self.modulation(F.silu(embedding)), "b (two c) -> two b c 1 1", two=2)
        h = self.norm_out(h) * (1 + scale) + shift
        return self.skip(x) + self.conv_out(self.dropout(F.silu(h)))


def group_norm(channels: int) -> nn.GroupNorm:
    """Normalisation of groups of `GROUP_WIDTH` channels."""
    return nn.GroupNorm(channels // GROUP_WIDTH, channels)


def zeroed(layer: nn.Conv1d | nn.Conv2d) -> nn.Conv1d | nn.Conv2d:
    """The layer with weights 0, so that each residual block starts as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
