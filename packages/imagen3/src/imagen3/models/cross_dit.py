r"""One stream of patches that attends to the text: PixArt-alpha (Chen et al., 2023) and SANA (Xie et al., 2024).

One linear layer gives the modulation of all blocks from the noise level, and each block adds a table of its own. In a
linear-dit the attention of the patches is linear in their number, $\phi(q) (\phi(k)^\top v) / (\phi(q)
\sum \phi(k))$ with $\phi = \mathrm{ReLU}$, and the MLP has a depthwise convolution.
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
    HeadNorm,
    check_latents,
    from_patches,
    initialize,
    modulate,
    to_patches,
)
from imagen3.models.positions import apply_rotary, frequency_features, rotary_angles, spanned_table
from imagen3.text.encoder import TextFeatures

# Of the convolutional MLP, with twice as many channels before its gate.
CONVOLUTION_RATIO = 2.5
# Pixels of a side for each latent, of networks that know the size of the picture.
PIXELS = 8


class MixMLP(nn.Module):
    """Two layers with a depthwise convolution and a gate between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = int(CONVOLUTION_RATIO * width)
        self.expand = nn.Linear(width, 2 * hidden)
        self.depthwise = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden)
        self.contract = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Float[Tensor, "B L D"], rows: int) -> Float[Tensor, "B L D"]:
        """Of the same shape; `rows` rows of patches."""
        h = rearrange(F.silu(self.expand(x)), "b (h w) d -> b d h w", h=rows)
        h, gate = rearrange(self.depthwise(h), "b d h w -> b (h w) d").chunk(2, dim=-1)
        return self.contract(h * F.silu(gate))


class CrossBlock(nn.Module):
    """Attention of the patches, attention to the text, and an MLP."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        width, self.heads = config.width, config.heads
        self.linear = config.kind == "linear-dit"
        self.cross_heads = config.cross_heads or config.heads
        self.table = nn.Parameter(torch.randn(6, width) / width**0.5)
        self.qkv = nn.Linear(width, 3 * width, bias=not self.linear)
        self.out = nn.Linear(width, width)
        normalized = config.qk_norm and not self.linear
        self.q_norm = HeadNorm(width // config.heads) if normalized else nn.Identity()
        self.k_norm = HeadNorm(width // config.heads) if normalized else nn.Identity()
        self.text_q, self.text_kv = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.text_out = nn.Linear(width, width)
        self.mlp = (
            MixMLP(width)
            if self.linear
            else nn.Sequential(
                nn.Linear(width, MLP_RATIO * width), nn.GELU("tanh"), nn.Linear(MLP_RATIO * width, width)
            )
        )

    def forward(
        self,
        x: Float[Tensor, "B L D"],
        words: Float[Tensor, "B M D"],
        condition: Float[Tensor, "B six D"],
        mask: Bool[Tensor, "B 1 1 M"] | None,
        angles: Float[Tensor, "L half"] | None,
        rows: int,
    ) -> Float[Tensor, "B L D"]:
        """Of the same shape."""
        parts = (self.table + condition).chunk(6, dim=1)
        q, k, v = rearrange(
            self.qkv(modulate(x, parts[0], parts[1])), "b l (three h d) -> three b h l d", three=3, h=self.heads
        )
        q, k = self.q_norm(q), self.k_norm(k)
        attended = linear_attention(q, k, v, angles) if self.linear else attend(*_rotated(q, k, angles), v)
        x = x + parts[2] * self.out(rearrange(attended, "b h l d -> b l (h d)"))
        q = rearrange(self.text_q(x), "b l (h d) -> b h l d", h=self.cross_heads)
        k, v = rearrange(self.text_kv(words), "b m (two h d) -> two b h m d", two=2, h=self.cross_heads)
        x = x + self.text_out(rearrange(F.scaled_dot_product_attention(q, k, v, mask), "b h l d -> b l (h d)"))
        h = modulate(x, parts[3], parts[4])
        return x + parts[5] * (self.mlp(h, rows) if self.linear else self.mlp(h))


def linear_attention(
    q: Float[Tensor, "B heads L d"],
    k: Float[Tensor, "B heads L d"],
    v: Float[Tensor, "B heads L d"],
    angles: Float[Tensor, "L half"] | None = None,
) -> Float[Tensor, "B heads L d"]:
    """Linear attention in float32; rotary embeddings in the numerator only, whose weights may be negative."""
    q, k, v, dtype = q.relu().float(), k.relu().float(), v.float(), v.dtype
    total = (q * k.sum(2, keepdim=True)).sum(-1, keepdim=True)
    q, k = _rotated(q, k, angles)
    return (q @ (k.transpose(2, 3) @ v) / (total + 1e-15)).to(dtype)


@unmeasured
class CrossDiT(nn.Module):
    r"""$v_\theta(z_t, t, c)$ by one stream of patches; the features of the whole text are not used.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        width, area = config.width, config.patch**2
        self.patches = nn.Linear(area * config.channels, width)
        self.text_in = nn.Sequential(nn.Linear(config.text_dim, width), nn.GELU("tanh"), nn.Linear(width, width))
        self.text_norm = nn.RMSNorm(width, eps=1e-5) if config.kind == "linear-dit" else nn.Identity()
        self.time_in = nn.Sequential(nn.Linear(TIME_FEATURES, width), nn.SiLU(), nn.Linear(width, width))
        if config.size_input:
            third = width // 3
            self.size_in, self.ratio_in = (
                nn.Sequential(nn.Linear(TIME_FEATURES, third), nn.SiLU(), nn.Linear(third, third)) for _ in range(2)
            )
        self.condition = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(CrossBlock(config) for _ in range(config.depth))
        self.final_table = nn.Parameter(torch.randn(2, width) / width**0.5)
        self.final = nn.Linear(width, area * (config.output_channels or config.channels))
        initialize(self)
        for block in self.blocks:
            nn.init.zeros_(block.text_out.weight)  # pyright: ignore

    def forward(
        self, z: Float[Tensor, "B C H W"], t: Float[Tensor, " B"], text: TextFeatures
    ) -> Float[Tensor, "B C H W"]:
        """The prediction, of z's height and width and in float32.

        Raises:
            UsageError: z has other channels than the configuration, or sides that are no multiples of the patch.
        """
        config = self.config
        check_latents(z, config)
        rows, columns = z.shape[2] // config.patch, z.shape[3] // config.patch
        x = self.patches(to_patches(z, config.patch))
        angles = None
        if config.positions == "table":
            x = x + spanned_table(config.table_size, rows, columns, config.width).to(x.device, x.dtype)
        elif config.positions == "rope":
            angles = rotary_angles(rows, columns, 0, config.width // config.heads).to(z.device)
        mask = text.mask[:, None, None] if config.mask_padding else None
        level = self.time_in(frequency_features(TIME_SCALE * t, TIME_FEATURES))
        if config.size_input:
            level = level + self._size(z.shape[2], z.shape[3], level.device)
        condition = self.condition(F.silu(level)).unflatten(-1, (6, config.width))
        words = self.text_norm(self.text_in(text.tokens))
        for block in self.blocks:
            x = block(x, words, condition, mask, angles, rows)
        shift, scale = (self.final_table + level[:, None]).chunk(2, dim=1)
        return from_patches(self.final(modulate(x, shift, scale)).float(), rows, config.patch)

    def _size(self, height: int, width: int, device: torch.device) -> Float[Tensor, "1 D"]:
        sides = torch.tensor([height, width], dtype=torch.float32, device=device)
        size = self.size_in(frequency_features(PIXELS * sides, TIME_FEATURES)).flatten()
        ratio = self.ratio_in(frequency_features(sides[:1] / sides[1:], TIME_FEATURES)).flatten()
        return torch.cat([size, ratio])[None]


def cross_parameter_count(config: DenoiserConfig) -> int:
    """Number of parameters in closed form.

    A block of cross-dit has 16 D^2 + 19 D, and 2 D / heads more with normalised queries and keys; one of linear-dit
    8 D^2 + 11 D, and 3 D H + 22 H with H = 2.5 D hidden channels.
    """
    width, area = config.width, config.patch**2
    if config.kind == "linear-dit":
        hidden = int(CONVOLUTION_RATIO * width)
        block = 8 * width**2 + 11 * width + 3 * width * hidden + 22 * hidden
    else:
        block = 16 * width**2 + 19 * width + (2 * width // config.heads if config.qk_norm else 0)
    third = width // 3 if config.size_input else 0
    inputs = (area * config.channels + 1) * width + (config.text_dim + TIME_FEATURES + 4) * width + 2 * width**2
    inputs += 2 * (third**2 + (TIME_FEATURES + 2) * third) + (width if config.kind == "linear-dit" else 0)
    outputs = area * (config.output_channels or config.channels)
    return config.depth * block + inputs + 6 * width**2 + 6 * width + 2 * width + (width + 1) * outputs


def _rotated(q: Tensor, k: Tensor, angles: Tensor | None) -> tuple[Tensor, Tensor]:
    return (q, k) if angles is None else (apply_rotary(q, angles), apply_rotary(k, angles))
