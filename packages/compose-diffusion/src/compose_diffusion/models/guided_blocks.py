"""Layers of guided-diffusion's networks, under the tensor names of the published checkpoints.

Modules have the names of those files (`input_blocks.1.0.in_layers.0`, ...), so that a file loads without a mapping of
names. Attention is that of SDPA, whose fused kernels have no second derivative: energies, which are trained through
their gradient, use its plain kernel.

Axes: B batch, C channels, H and W height and width, E embedding, T pixels or tokens, D features of a token.
"""

import contextlib
import math
from pathlib import Path
from typing import Generic, Literal, Self, TypeVar

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from onepaper.errors import UsageError
from onepaper.torch.state_files import load_pretrained, save_pretrained
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from compose_diffusion.config.guided_diffusion import NUM_GROUPS, BackboneConfig, UNetConfig
from compose_diffusion.models.blocks import zeroed

Resampling = Literal["keep", "halve", "double"]
ConfigT = TypeVar("ConfigT", bound=BackboneConfig)


def timestep_embedding(t: Int[Tensor, " batch"], dim: int, dtype: torch.dtype) -> Float[Tensor, "batch dim"]:
    r"""$[\cos(\omega_k t), \sin(\omega_k t)]$ with $\omega_k = 10^{-4k / (dim/2)}$."""
    frequencies = torch.exp(-math.log(10_000.0) * torch.arange(dim // 2, device=t.device, dtype=dtype) / (dim // 2))
    angles = t.to(dtype)[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def token_mask(text: Float[Tensor, "batch tokens text_dim"]) -> Bool[Tensor, "batch tokens"]:
    """Mask of real tokens: tokens of zeros are padding, or represent an empty text."""
    return (text != 0).any(dim=2)


class GroupNorm(nn.GroupNorm):
    """Group normalisation in float32 or higher, whatever the input precision."""

    def __init__(self, channels: int) -> None:
        super().__init__(NUM_GROUPS, channels)

    def forward(self, input: Tensor) -> Tensor:
        """[B, C, ...] -> the same shape and type."""
        precise = torch.promote_types(input.dtype, torch.float32)
        weight, bias = self.weight.to(precise), self.bias.to(precise)
        return F.group_norm(input.to(precise), self.num_groups, weight, bias, self.eps).to(input.dtype)


class Upsample(nn.Module):
    """Twice the height and width, by repeating pixels, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels high wide"]:
        """[B, C, H, W] -> [B, C, 2H, 2W]."""
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Downsample(nn.Module):
    """Half the height and width, by a strided convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels low narrow"]:
        """[B, C, H, W] -> [B, C, H/2, W/2]."""
        return self.op(x)


class ResidualBlock(nn.Module):
    """skip(x) + conv(silu(norm(conv(silu(norm(x)))))), the embedding is added before, or modulates, the second norm.

    Args:
        config: of the network.
        in_channels: of x.
        out_channels: of the result.
        resampling: whether to halve or double height and width between first activation and convolution.
    """

    def __init__(
        self, config: BackboneConfig, in_channels: int, out_channels: int, resampling: Resampling = "keep"
    ) -> None:
        super().__init__()
        self.resampling = resampling
        self.scale_shift_norm = config.scale_shift_norm
        self.in_layers = nn.Sequential(
            GroupNorm(in_channels), nn.SiLU(), nn.Conv2d(in_channels, out_channels, 3, padding=1)
        )
        modulation = 2 * out_channels if config.scale_shift_norm else out_channels
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(4 * config.width, modulation))
        self.out_layers = nn.Sequential(
            GroupNorm(out_channels),
            nn.SiLU(),
            nn.Dropout(config.dropout),
            zeroed(nn.Conv2d(out_channels, out_channels, 3, padding=1)),
        )
        self.skip_connection = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else nn.Identity()

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"], embedding: Float[Tensor, "batch embed_dim"]
    ) -> Float[Tensor, "batch out_channels new_height new_width"]:
        """[B, C, H, W], [B, E] -> [B, C', H', W']."""
        norm, activation, convolution = self.in_layers
        h = convolution(self._resample(activation(norm(x))))
        shift = rearrange(self.emb_layers(embedding), "b c -> b c 1 1")
        if self.scale_shift_norm:
            scale, shift = shift.chunk(2, dim=1)
            h = self.out_layers[1:](self.out_layers[0](h) * (1 + scale) + shift)
        else:
            h = self.out_layers(h + shift)
        return self.skip_connection(self._resample(x)) + h

    def _resample(self, x: Tensor) -> Tensor:
        if self.resampling == "keep":
            return x
        return F.avg_pool2d(x, 2) if self.resampling == "halve" else F.interpolate(x, scale_factor=2.0, mode="nearest")


class AttentionBlock(nn.Module):
    """x + proj(attention(norm(x))): pixels attend to all pixels and, if there is a text, to its tokens."""

    def __init__(self, config: BackboneConfig, channels: int) -> None:
        super().__init__()
        self.heads = config.heads(channels)
        order = "heads qkv" if config.attention_order == "heads-first" else "qkv heads"
        self.pattern = f"b ({order} c) t -> qkv b heads t c"
        self.twice_differentiable = isinstance(config, UNetConfig) and config.form != "noise"
        self.norm = GroupNorm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        text_dim = config.text_dim if isinstance(config, UNetConfig) else 0
        if text_dim:
            self.encoder_kv = nn.Conv1d(text_dim, 2 * channels, 1)
        self.proj_out = zeroed(nn.Conv1d(channels, channels, 1))

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        text: Float[Tensor, "batch text_tokens text_dim"] | None = None,
    ) -> Float[Tensor, "batch channels height width"]:
        """[B, C, H, W], [B, T, D] -> [B, C, H, W]."""
        pixels = rearrange(self.norm(x), "b c h w -> b c (h w)")
        query, key, value = rearrange(self.qkv(pixels), self.pattern, qkv=3, heads=self.heads)
        mask = None
        if text is not None:
            encoded = self.encoder_kv(rearrange(text, "b t d -> b d t"))
            text_key, text_value = rearrange(encoded, "b (heads kv c) t -> kv b heads t c", kv=2, heads=self.heads)
            key, value = torch.cat([text_key, key], dim=2), torch.cat([text_value, value], dim=2)
            mask = F.pad(token_mask(text), (0, pixels.shape[2]), value=True)[:, None, None]
        with sdpa_kernel(SDPBackend.MATH) if self.twice_differentiable else contextlib.nullcontext():
            attended = F.scaled_dot_product_attention(query, key, value, mask)
        out = self.proj_out(rearrange(attended, "b heads t c -> b (heads c) t"))
        return x + out.reshape(x.shape)


class Stage(nn.Sequential):
    """Consecutive layers of the U-Net, each called with the inputs it takes."""

    def forward(self, x: Tensor, embedding: Tensor, text: Tensor | None = None) -> Tensor:  # pyright: ignore
        """[B, C, H, W], [B, E], [B, T, D] -> output of the last layer."""
        for layer in self:
            if isinstance(layer, ResidualBlock):
                x = layer(x, embedding)
            elif isinstance(layer, AttentionBlock):
                x = layer(x, text)
            else:
                x = layer(x)
        return x


class AttentionPool(nn.Module):
    """One vector from an image: the mean pixel attends to itself and all pixels, each with a learnt position."""

    def __init__(self, size: int, channels: int, head_width: int, out_dim: int) -> None:
        super().__init__()
        self.heads = channels // head_width
        self.positional_embedding = nn.Parameter(torch.randn(channels, size**2 + 1) / channels**0.5)
        self.qkv_proj = nn.Conv1d(channels, 3 * channels, 1)
        self.c_proj = nn.Conv1d(channels, out_dim, 1)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch out_dim"]:
        """[B, C, H, W] -> [B, out_dim]."""
        pixels = rearrange(x, "b c h w -> b c (h w)")
        pixels = torch.cat([pixels.mean(dim=2, keepdim=True), pixels], dim=2) + self.positional_embedding
        qkv = rearrange(self.qkv_proj(pixels), "b (qkv heads c) t -> qkv b heads t c", qkv=3, heads=self.heads)
        # Only the query of the mean is needed; the published code computes all queries.
        attended = F.scaled_dot_product_attention(qkv[0][:, :, :1], qkv[1], qkv[2])
        return self.c_proj(rearrange(attended, "b heads t c -> b (heads c) t"))[:, :, 0]


class Backbone(nn.Module, Generic[ConfigT]):
    """Time embedding, encoder and middle block, common to U-Net and classifier; saved with its configuration."""

    config_type: type[ConfigT]

    def __init__(self, config: ConfigT) -> None:
        super().__init__()
        self.config = config
        self.width = config.width
        embed_dim = 4 * config.width
        self.time_embed = nn.Sequential(nn.Linear(config.width, embed_dim), nn.SiLU(), nn.Linear(embed_dim, embed_dim))
        below = config.channels[0]
        self.input_blocks = nn.ModuleList([Stage(nn.Conv2d(config.image_channels, below, 3, padding=1))])
        # Channels of every input block, for the skip connections.
        self.passed_channels = [below]
        for level, channels in enumerate(config.channels):
            for _ in range(config.num_blocks):
                layers: list[nn.Module] = [ResidualBlock(config, below, channels)]
                if config.attends(2**level):
                    layers.append(AttentionBlock(config, channels))
                self.input_blocks.append(Stage(*layers))
                self.passed_channels.append(channels)
                below = channels
            if level < len(config.channels) - 1:
                halving = (
                    ResidualBlock(config, below, below, "halve") if config.residual_resampling else Downsample(below)
                )
                self.input_blocks.append(Stage(halving))
                self.passed_channels.append(below)
        self.middle_block = Stage(
            ResidualBlock(config, below, below), AttentionBlock(config, below), ResidualBlock(config, below, below)
        )

    def embed_time(self, x: Tensor, t: Int[Tensor, " batch"]) -> Float[Tensor, "batch embed_dim"]:
        """[B] -> [B, E], in x's precision."""
        return self.time_embed(timestep_embedding(t, self.width, x.dtype))

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`."""
        return save_pretrained(folder, self, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """The network that `save_pretrained` wrote, in evaluation mode on the CPU."""
        return load_pretrained(folder, cls.config_type, cls)[0].eval()


def check_image(x: Tensor, config: BackboneConfig) -> None:
    """Raise `UsageError` unless x, [batch, channels, height, width], fits a network of this configuration."""
    coarsest = 2 ** (len(config.multipliers) - 1)
    if x.shape[1] != config.image_channels or x.shape[2] % coarsest or x.shape[3] % coarsest:
        raise UsageError(
            f"images have shape {tuple(x.shape[1:])}, expected {config.image_channels} channels and a height and width "
            f"that are multiples of {coarsest}"
        )
