r"""Blocks of two streams, and then blocks of one stream that holds text and picture (Black Forest Labs, 2024).

The blocks of two streams are those of MM-DiT. A block of one stream computes attention and MLP side by side from one
modulated input: $x + g\,W [\mathrm{attention}, \mathrm{MLP}]$.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from onepaper.fingerprint.marks import unmeasured
from torch import Tensor, nn

from imagen3.config import DenoiserConfig
from imagen3.models.attention import attend
from imagen3.models.mmdit import (
    MLP_RATIO,
    TIME_FEATURES,
    TIME_SCALE,
    Block,
    HeadNorm,
    check_latents,
    from_patches,
    initialize,
    modulate,
    to_patches,
)
from imagen3.models.positions import apply_rotary, frequency_features, padded_angles
from imagen3.text.encoder import TextFeatures

# Of a network whose weight of guidance is an input, where none is given.
GUIDANCE = 3.5


class SingleBlock(nn.Module):
    """A block of one stream."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.modulation = nn.Linear(width, 3 * width)
        self.inputs = nn.Linear(width, (3 + MLP_RATIO) * width)
        self.outputs = nn.Linear((1 + MLP_RATIO) * width, width)
        self.q_norm = HeadNorm(width // config.heads) if config.qk_norm else nn.Identity()
        self.k_norm = HeadNorm(width // config.heads) if config.qk_norm else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "B L D"],
        condition: Float[Tensor, "B D"],
        mask: Bool[Tensor, "B 1 1 L"] | None,
        angles: Float[Tensor, "L half"],
    ) -> Float[Tensor, "B L D"]:
        """Of the same shape."""
        shift, scale, gate = self.modulation(condition)[:, None].chunk(3, dim=-1)
        width = x.shape[-1]
        qkv, hidden = self.inputs(modulate(x, shift, scale)).split([3 * width, MLP_RATIO * width], dim=-1)
        q, k, v = rearrange(qkv, "b l (three h d) -> three b h l d", three=3, h=self.heads)
        q, k = apply_rotary(self.q_norm(q), angles), apply_rotary(self.k_norm(k), angles)
        attended = rearrange(attend(q, k, v, mask), "b h l d -> b l (h d)")
        return x + gate * self.outputs(torch.cat([attended, F.gelu(hidden, approximate="tanh")], dim=-1))


@unmeasured
class Flux(nn.Module):
    r"""$v_\theta(z_t, t, c)$ by blocks of two streams and of one.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        self.guidance = GUIDANCE
        """the weight, where it is an input and the call gives none"""
        width, area = config.width, config.patch**2
        self.patches = nn.Linear(area * config.channels, width)
        self.text_in = nn.Linear(config.text_dim, width)
        self.time_in = nn.Sequential(nn.Linear(TIME_FEATURES, width), nn.SiLU(), nn.Linear(width, width))
        self.pooled_in = nn.Sequential(nn.Linear(config.pooled_dim, width), nn.SiLU(), nn.Linear(width, width))
        if config.guidance_input:
            self.guidance_in = nn.Sequential(nn.Linear(TIME_FEATURES, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(Block(config, last=False) for _ in range(config.depth))
        self.single_blocks = nn.ModuleList(SingleBlock(config) for _ in range(config.single_depth))
        self.final_modulation = nn.Linear(width, 2 * width)
        self.final = nn.Linear(width, area * (config.output_channels or config.channels))
        initialize(self)

    def forward(
        self, z: Float[Tensor, "B C H W"], t: Float[Tensor, " B"], text: TextFeatures, guidance: float | None = None
    ) -> Float[Tensor, "B C H W"]:
        """The predicted velocity, of z's shape and in float32; `guidance` is used where it is an input.

        Raises:
            UsageError: z has other channels than the configuration, or sides that are no multiples of the patch.
        """
        config = self.config
        check_latents(z, config)
        rows, columns = z.shape[2] // config.patch, z.shape[3] // config.patch
        image = self.patches(to_patches(z, config.patch))
        length = text.tokens.shape[1]
        angles = padded_angles(rows, columns, length, config.width // config.heads).to(z.device)
        mask = F.pad(text.mask, (0, rows * columns), value=True)[:, None, None] if config.mask_padding else None
        condition = self.time_in(frequency_features(TIME_SCALE * t, TIME_FEATURES)) + self.pooled_in(text.pooled)
        if config.guidance_input:
            weights = torch.full_like(t, TIME_SCALE * (self.guidance if guidance is None else guidance))
            condition = condition + self.guidance_in(frequency_features(weights, TIME_FEATURES))
        condition = F.silu(condition)
        words = self.text_in(text.tokens)
        for block in self.blocks:
            words, image = block(words, image, condition, mask, angles)
        x = torch.cat([words, image], dim=1)
        for block in self.single_blocks:
            x = block(x, condition, mask, angles)
        shift, scale = self.final_modulation(condition)[:, None].chunk(2, dim=-1)
        return from_patches(self.final(modulate(x[:, length:], shift, scale)).float(), rows, config.patch)


def flux_parameter_count(config: DenoiserConfig) -> int:
    """Number of parameters in closed form.

    A block of two streams has 36 D^2 + 30 D, one of one stream 15 D^2 + 11 D; with normalised queries and keys
    4 D / heads and 2 D / heads more.
    """
    width, area = config.width, config.patch**2
    head = width // config.heads if config.qk_norm else 0
    blocks = config.depth * (36 * width**2 + 30 * width + 4 * head)
    single = config.single_depth * (15 * width**2 + 11 * width + 2 * head)
    embedded = TIME_FEATURES * (1 + config.guidance_input) + config.pooled_dim
    embeddings = embedded * width + (2 + config.guidance_input) * (width**2 + 2 * width)
    inputs = (area * config.channels + config.text_dim + 2) * width
    outputs = area * (config.output_channels or config.channels)
    return blocks + single + embeddings + inputs + 2 * width**2 + 2 * width + (width + 1) * outputs
