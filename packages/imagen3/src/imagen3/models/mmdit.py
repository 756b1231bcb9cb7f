r"""MM-DiT: two streams, text and picture, with one joint attention (Esser et al., 2024, section 4).

The report discloses no architecture; this is the denoiser of our reference system. Every block modulates both streams
by the noise level and the pooled text. At initialisation each block is the identity and the output 0.

Axes: B batch, L length (text, then patches), D width.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from onepaper.errors import UsageError
from torch import Tensor, nn

from imagen3.config import DenoiserConfig
from imagen3.models.attention import attend
from imagen3.models.positions import apply_rotary, centre, frequency_features, position_table, rotary_angles
from imagen3.text.encoder import TextFeatures

TIME_FEATURES, TIME_SCALE, EPSILON, MLP_RATIO = 256, 1000.0, 1e-6, 4


class HeadNorm(nn.Module):
    """Division by the root mean square over a head, in float32, and a learned scale."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Float[Tensor, "B heads L dim"]) -> Float[Tensor, "B heads L dim"]:
        """Of the same shape and dtype."""
        return F.rms_norm(x.float(), x.shape[-1:], self.weight, EPSILON).to(x.dtype)


class Stream(nn.Module):
    """The parts of a block that belong to one stream.

    Args:
        config: the architecture.
        last: the text stream of the last block, of which only keys and values are used.
        dual: with a second attention of the stream alone.
    """

    def __init__(self, config: DenoiserConfig, *, last: bool = False, dual: bool = False) -> None:
        super().__init__()
        width = config.width
        self.last, self.heads, self.dual = last, config.heads, dual
        self.chunks = 2 if last else 9 if dual else 6
        self.modulation = nn.Linear(width, self.chunks * width)
        self.qkv = nn.Linear(width, 3 * width)
        self.q_norm = HeadNorm(width // config.heads) if config.qk_norm else nn.Identity()
        self.k_norm = HeadNorm(width // config.heads) if config.qk_norm else nn.Identity()
        if not last:
            self.out = nn.Linear(width, width)
            self.mlp = nn.Sequential(
                nn.Linear(width, MLP_RATIO * width), nn.GELU("tanh"), nn.Linear(MLP_RATIO * width, width)
            )
        if dual:
            self.own_qkv, self.own_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.own_q_norm = HeadNorm(width // config.heads) if config.qk_norm else nn.Identity()
            self.own_k_norm = HeadNorm(width // config.heads) if config.qk_norm else nn.Identity()

    def attention_inputs(self, x: Float[Tensor, "B L D"], parts: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values [B, heads, L, D / heads] of the modulated stream."""
        h = modulate(x, parts[0], parts[1])
        q, k, v = rearrange(self.qkv(h), "b l (three h d) -> three b h l d", three=3, h=self.heads)
        return self.q_norm(q), self.k_norm(k), v

    def finish(
        self, x: Float[Tensor, "B L D"], attended: Float[Tensor, "B L D"], parts: list[Tensor]
    ) -> Float[Tensor, "B L D"]:
        """Add the attention's output, that of the stream's own attention, and then that of the MLP."""
        own = self.own_attention(x, parts) if self.dual else 0.0
        x = x + parts[2] * self.out(attended) + own
        return x + parts[5] * self.mlp(modulate(x, parts[3], parts[4]))

    def own_attention(self, x: Float[Tensor, "B L D"], parts: list[Tensor]) -> Float[Tensor, "B L D"]:
        """The second attention, of this stream's tokens among themselves."""
        qkv = self.own_qkv(modulate(x, parts[6], parts[7]))
        q, k, v = rearrange(qkv, "b l (three h d) -> three b h l d", three=3, h=self.heads)
        attended = attend(self.own_q_norm(q), self.own_k_norm(k), v)
        return parts[8] * self.own_out(rearrange(attended, "b h l d -> b l (h d)"))


class Block(nn.Module):
    """A block of both streams."""

    def __init__(self, config: DenoiserConfig, *, last: bool, dual: bool = False) -> None:
        super().__init__()
        self.text, self.image = Stream(config, last=last), Stream(config, dual=dual)

    def forward(
        self,
        text: Float[Tensor, "B M D"],
        image: Float[Tensor, "B N D"],
        condition: Float[Tensor, "B D"],
        mask: Bool[Tensor, "B 1 1 L"] | None,
        angles: Float[Tensor, "L half"] | None,
    ) -> tuple[Tensor, Tensor]:
        """Both streams; of the last block the text stream is returned as it came."""
        text_parts = list(self.text.modulation(condition)[:, None].chunk(self.text.chunks, dim=-1))
        image_parts = list(self.image.modulation(condition)[:, None].chunk(self.image.chunks, dim=-1))
        streams = zip(
            self.text.attention_inputs(text, text_parts), self.image.attention_inputs(image, image_parts), strict=True
        )
        q, k, v = (torch.cat(pair, dim=2) for pair in streams)
        if angles is not None:
            q, k = apply_rotary(q, angles), apply_rotary(k, angles)
        attended = rearrange(attend(q, k, v, mask), "b h l d -> b l (h d)")
        length = text.shape[1]
        if not self.text.last:
            text = self.text.finish(text, attended[:, :length], text_parts)
        return text, self.image.finish(image, attended[:, length:], image_parts)


class MMDiT(nn.Module):
    """$v_\theta(z_t, t, c)$ for latents of any size that is a multiple of the patch.

    Args:
        config: the architecture; kept as `config`.
    """

    table: Tensor

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        width, area = config.width, config.patch**2
        self.patches = nn.Linear(area * config.channels, width)
        self.text_in = nn.Linear(config.text_dim, width)
        self.time_in = nn.Sequential(nn.Linear(TIME_FEATURES, width), nn.SiLU(), nn.Linear(width, width))
        self.pooled_in = nn.Sequential(nn.Linear(config.pooled_dim, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(
            Block(config, last=index == config.depth - 1, dual=index < config.dual_depth)
            for index in range(config.depth)
        )
        self.final_modulation = nn.Linear(width, 2 * width)
        self.final = nn.Linear(width, area * (config.output_channels or config.channels))
        if config.positions == "stored":
            side = config.table_size
            self.register_buffer("table", position_table(side, side, side, width).unflatten(0, (side, side)))
        initialize(self)

    def forward(
        self, z: Float[Tensor, "B C H W"], t: Float[Tensor, " B"], text: TextFeatures
    ) -> Float[Tensor, "B C H W"]:
        """The predicted velocity, of z's shape and in float32.

        Raises:
            UsageError: z has other channels than the configuration, or sides that are no multiples of the patch.
        """
        config = self.config
        check_latents(z, config)
        rows, columns = z.shape[2] // config.patch, z.shape[3] // config.patch
        image = self.patches(to_patches(z, config.patch))
        angles = None
        if config.positions == "table":
            table = position_table(config.table_size, rows, columns, config.width)
            image = image + table.to(image.device, image.dtype)
        elif config.positions == "stored":
            image = image + centre(self.table, rows, columns).to(image.dtype)
        else:
            length, head_dim = text.tokens.shape[1], config.width // config.heads
            angles = rotary_angles(rows, columns, length, head_dim).to(z.device)
        mask = None
        if config.mask_padding:
            mask = F.pad(text.mask, (0, rows * columns), value=True)[:, None, None]
        condition = F.silu(
            self.time_in(frequency_features(TIME_SCALE * t, TIME_FEATURES)) + self.pooled_in(text.pooled)
        )
        words = self.text_in(text.tokens)
        for block in self.blocks:
            words, image = block(words, image, condition, mask, angles)
        shift, scale = self.final_modulation(condition)[:, None].chunk(2, dim=-1)
        return from_patches(self.final(modulate(image, shift, scale)).float(), rows, config.patch)


def to_patches(z: Float[Tensor, "B C H W"], patch: int) -> Float[Tensor, "B L D"]:
    """Squares of latents as rows, from the left to the right and downwards."""
    return rearrange(z, "b c (h p) (w q) -> b (h w) (c p q)", p=patch, q=patch)


def from_patches(x: Float[Tensor, "B L D"], rows: int, patch: int) -> Float[Tensor, "B C H W"]:
    """The inverse of `to_patches`, of so many rows of squares."""
    return rearrange(x, "b (h w) (c p q) -> b c (h p) (w q)", h=rows, p=patch, q=patch)


def modulate(
    x: Float[Tensor, "B L D"], shift: Float[Tensor, "B 1 D"], scale: Float[Tensor, "B 1 D"]
) -> Float[Tensor, "B L D"]:
    """LN(x) (1 + scale) + shift, where LN has no parameters."""
    return F.layer_norm(x, x.shape[-1:], eps=EPSILON) * (1 + scale) + shift


def parameter_count(config: DenoiserConfig) -> int:
    """Number of parameters in closed form.

    A block has 36 D^2 + 30 D, the last one 23 D^2 + 20 D, and each 4 D / heads more with normalised queries and keys; a
    second attention has 7 D^2 + 7 D, and 2 D / heads.
    """
    width, area = config.width, config.patch**2 * config.channels
    norms = 4 * (width // config.heads) if config.qk_norm else 0
    dual = config.dual_depth * (7 * width**2 + 7 * width + norms // 2)
    outputs = config.patch**2 * (config.output_channels or config.channels)
    blocks = (config.depth - 1) * (36 * width**2 + 30 * width + norms) + 23 * width**2 + 20 * width + norms
    inputs = (area + config.text_dim + TIME_FEATURES + config.pooled_dim + 4) * width + 2 * (width**2 + width)
    return blocks + dual + inputs + 2 * width**2 + 2 * width + width * outputs + outputs


def check_latents(z: Float[Tensor, "B C H W"], config: DenoiserConfig) -> None:
    """Raise `UsageError` unless z has the channels of the configuration and sides that are multiples of the patch."""
    if z.ndim != 4 or z.shape[1] != config.channels or any(side % config.patch for side in z.shape[2:]):
        raise UsageError(
            f"latents have shape {tuple(z.shape)}, expected [batch, {config.channels}, height, width] with "
            f"multiples of {config.patch}"
        )


def initialize(model: nn.Module) -> None:
    """Xavier's uniform weights, normal ones for the noise level, and 0 for modulations and the output."""
    model.apply(_xavier)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and name.startswith("time_in."):
            nn.init.normal_(module.weight, std=0.02)
        if name.endswith("modulation") or name == "final":
            nn.init.zeros_(module.weight)  # pyright: ignore[reportArgumentType]


def _xavier(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if "bias" in dict(module.named_parameters()):
            nn.init.zeros_(module.bias)
