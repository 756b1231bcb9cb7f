"""Names and shapes of the networks of the library diffusers, and how their tensors are ours.

Each of our tensors consists of the rows of one or several of theirs, in another order where the conventions differ:
modulations of the last layers have scale before shift, patches have their channels last, and rotary embeddings rotate
neighbouring numbers in place of halves.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Int
from torch import Tensor

from imagen3.config import AutoencoderConfig, DenoiserConfig
from imagen3.models.cross_dit import CONVOLUTION_RATIO
from imagen3.models.mmdit import MLP_RATIO, TIME_FEATURES

Order = Int[Tensor, " rows"]


class Rule(NamedTuple):
    """One of our tensors."""

    ours: str
    theirs: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    """of theirs"""
    order: Order | None = None
    """row i of ours is this row of theirs"""


def scale_first(width: int) -> Order:
    """Shift and scale from scale and shift."""
    return torch.cat([torch.arange(width, 2 * width), torch.arange(width)])


def channels_last(patch: int, channels: int) -> Order:
    """Outputs of a patch with channels first from those with channels last."""
    return rearrange(torch.arange(patch**2 * channels), "(p c) -> (c p)", p=patch**2)


def rotated_pairs(heads: int, dim: int) -> Order:
    """Queries or keys whose halves are rotated from those of which neighbours are."""
    return rearrange(torch.arange(heads * dim), "(h d two) -> (h two d)", h=heads, two=2)


def linear(
    ours: str,
    theirs: str | tuple[str, ...],
    rows: int | tuple[int, ...],
    columns: int,
    order: Order | None = None,
    *,
    bias: bool = True,
    kernel: tuple[int, ...] = (),
) -> Iterator[Rule]:
    """The weight and bias of a linear layer or convolution; several of theirs stand above each other."""
    names = (theirs,) if isinstance(theirs, str) else theirs
    sizes = (rows,) * len(names) if isinstance(rows, int) else rows
    yield Rule(
        f"{ours}.weight",
        tuple(f"{name}.weight" for name in names),
        tuple((size, columns, *kernel) for size in sizes),
        order,
    )
    if bias:
        yield Rule(f"{ours}.bias", tuple(f"{name}.bias" for name in names), tuple((size,) for size in sizes), order)


def _two_layers(ours: str, theirs: str, inputs: int, width: int) -> Iterator[Rule]:
    yield from linear(f"{ours}.0", f"{theirs}.linear_1", width, inputs)
    yield from linear(f"{ours}.2", f"{theirs}.linear_2", width, width)


def _mlp(ours: str, theirs: str, width: int) -> Iterator[Rule]:
    yield from linear(f"{ours}.0", f"{theirs}.net.0.proj", MLP_RATIO * width, width)
    yield from linear(f"{ours}.2", f"{theirs}.net.2", width, MLP_RATIO * width)


def _head_norms(ours: str, theirs: tuple[str, str], dim: int, order: Order | None) -> Iterator[Rule]:
    for own, name in zip(("q_norm", "k_norm"), theirs, strict=True):
        yield Rule(f"{ours}{own}.weight", (f"{name}.weight",), ((dim,),), order)


def _joint_block(config: DenoiserConfig, index: int, *, rotated: bool) -> Iterator[Rule]:
    """A block of two streams, of SD3 and FLUX."""
    width, dim = config.width, config.width // config.heads
    ours, theirs = f"blocks.{index}", f"transformer_blocks.{index}"
    last = index == config.depth - 1 and not rotated
    dual = index < config.dual_depth
    qkv_order = head_order = None
    if rotated:
        head_order, rows = rotated_pairs(1, dim), rotated_pairs(config.heads, dim)
        qkv_order = torch.cat([rows, rows + width, torch.arange(2 * width, 3 * width)])
    yield from linear(f"{ours}.image.modulation", f"{theirs}.norm1.linear", (9 if dual else 6) * width, width)
    yield from linear(
        f"{ours}.text.modulation",
        f"{theirs}.norm1_context.linear",
        (2 if last else 6) * width,
        width,
        scale_first(width) if last else None,
    )
    image = tuple(f"{theirs}.attn.to_{part}" for part in "qkv")
    text = tuple(f"{theirs}.attn.add_{part}_proj" for part in "qkv")
    yield from linear(f"{ours}.image.qkv", image, width, width, qkv_order)
    yield from linear(f"{ours}.text.qkv", text, width, width, qkv_order)
    if config.qk_norm:
        attention = f"{theirs}.attn.norm"
        yield from _head_norms(f"{ours}.image.", (f"{attention}_q", f"{attention}_k"), dim, head_order)
        yield from _head_norms(f"{ours}.text.", (f"{attention}_added_q", f"{attention}_added_k"), dim, head_order)
    yield from linear(f"{ours}.image.out", f"{theirs}.attn.to_out.0", width, width)
    yield from _mlp(f"{ours}.image.mlp", f"{theirs}.ff", width)
    if not last:
        yield from linear(f"{ours}.text.out", f"{theirs}.attn.to_add_out", width, width)
        yield from _mlp(f"{ours}.text.mlp", f"{theirs}.ff_context", width)
    if dual:
        second = f"{theirs}.attn2"
        own = tuple(f"{second}.to_{part}" for part in "qkv")
        yield from linear(f"{ours}.image.own_qkv", own, width, width)
        yield from linear(f"{ours}.image.own_out", f"{second}.to_out.0", width, width)
        if config.qk_norm:
            yield from _head_norms(f"{ours}.image.own_", (f"{second}.norm_q", f"{second}.norm_k"), dim, None)


def _outer(config: DenoiserConfig) -> Iterator[Rule]:
    """Embeddings and last layer, of SD3 and FLUX."""
    width = config.width
    yield from _two_layers("time_in", "time_text_embed.timestep_embedder", TIME_FEATURES, width)
    yield from _two_layers("pooled_in", "time_text_embed.text_embedder", config.pooled_dim, width)
    yield from linear("text_in", "context_embedder", width, config.text_dim)
    yield from linear("final_modulation", "norm_out.linear", 2 * width, width, scale_first(width))


def sd3_rules(config: DenoiserConfig) -> Iterator[Rule]:
    """SD3Transformer2DModel."""
    width, patch = config.width, config.patch
    outputs = config.output_channels or config.channels
    yield from _outer(config)
    yield from linear("patches", "pos_embed.proj", width, config.channels, kernel=(patch, patch))
    yield from linear("final", "proj_out", patch**2 * outputs, width, channels_last(patch, outputs))
    side = config.table_size
    yield Rule("table", ("pos_embed.pos_embed",), ((1, side**2, width),))
    for index in range(config.depth):
        yield from _joint_block(config, index, rotated=False)


def flux_rules(config: DenoiserConfig) -> Iterator[Rule]:
    """FluxTransformer2DModel."""
    width, dim = config.width, config.width // config.heads
    yield from _outer(config)
    if config.guidance_input:
        yield from _two_layers("guidance_in", "time_text_embed.guidance_embedder", TIME_FEATURES, width)
    yield from linear("patches", "x_embedder", width, config.patch**2 * config.channels)
    yield from linear("final", "proj_out", config.patch**2 * (config.output_channels or config.channels), width)
    for index in range(config.depth):
        yield from _joint_block(config, index, rotated=True)
    rows = rotated_pairs(config.heads, dim)
    order = torch.cat([rows, rows + width, torch.arange(2 * width, (3 + MLP_RATIO) * width)])
    for index in range(config.single_depth):
        ours, theirs = f"single_blocks.{index}", f"single_transformer_blocks.{index}"
        yield from linear(f"{ours}.modulation", f"{theirs}.norm.linear", 3 * width, width)
        names = (*(f"{theirs}.attn.to_{part}" for part in "qkv"), f"{theirs}.proj_mlp")
        yield from linear(f"{ours}.inputs", names, (width, width, width, MLP_RATIO * width), width, order)
        yield from linear(f"{ours}.outputs", f"{theirs}.proj_out", width, (1 + MLP_RATIO) * width)
        norms = (f"{theirs}.attn.norm_q", f"{theirs}.attn.norm_k")
        yield from _head_norms(f"{ours}.", norms, dim, rotated_pairs(1, dim))


def cross_rules(config: DenoiserConfig) -> Iterator[Rule]:
    """PixArtTransformer2DModel, and SanaTransformer2DModel for a linear-dit."""
    width, patch, sana = config.width, config.patch, config.kind == "linear-dit"
    outputs = config.output_channels or config.channels
    condition = "time_embed" if sana else "adaln_single"
    yield from _two_layers("time_in", f"{condition}.emb.timestep_embedder", TIME_FEATURES, width)
    if config.size_input:
        yield from _two_layers("size_in", f"{condition}.emb.resolution_embedder", TIME_FEATURES, width // 3)
        yield from _two_layers("ratio_in", f"{condition}.emb.aspect_ratio_embedder", TIME_FEATURES, width // 3)
    yield from linear("condition", f"{condition}.linear", 6 * width, width)
    yield from _two_layers("text_in", "caption_projection", config.text_dim, width)
    embedding = "patch_embed" if sana else "pos_embed"
    yield from linear("patches", f"{embedding}.proj", width, config.channels, kernel=(patch, patch))
    yield from linear("final", "proj_out", patch**2 * outputs, width, channels_last(patch, outputs))
    yield Rule("final_table", ("scale_shift_table",), ((2, width),))
    if sana:
        yield Rule("text_norm.weight", ("caption_norm.weight",), ((width,),))
    for index in range(config.depth):
        ours, theirs = f"blocks.{index}", f"transformer_blocks.{index}"
        yield Rule(f"{ours}.table", (f"{theirs}.scale_shift_table",), ((6, width),))
        own = tuple(f"{theirs}.attn1.to_{part}" for part in "qkv")
        yield from linear(f"{ours}.qkv", own, width, width, bias=not sana)
        yield from linear(f"{ours}.out", f"{theirs}.attn1.to_out.0", width, width)
        yield from linear(f"{ours}.text_q", f"{theirs}.attn2.to_q", width, width)
        yield from linear(f"{ours}.text_kv", (f"{theirs}.attn2.to_k", f"{theirs}.attn2.to_v"), width, width)
        yield from linear(f"{ours}.text_out", f"{theirs}.attn2.to_out.0", width, width)
        if not sana:
            yield from _mlp(f"{ours}.mlp", f"{theirs}.ff", width)
            continue
        hidden = int(CONVOLUTION_RATIO * width)
        yield from linear(f"{ours}.mlp.expand", f"{theirs}.ff.conv_inverted", 2 * hidden, width, kernel=(1, 1))
        yield from linear(f"{ours}.mlp.depthwise", f"{theirs}.ff.conv_depth", 2 * hidden, 1, kernel=(3, 3))
        yield from linear(f"{ours}.mlp.contract", f"{theirs}.ff.conv_point", width, hidden, bias=False, kernel=(1, 1))


def _norm(ours: str, theirs: str, width: int) -> Iterator[Rule]:
    for part in ("weight", "bias"):
        yield Rule(f"{ours}.{part}", (f"{theirs}.{part}",), ((width,),))


def _residual(ours: str, theirs: str, inputs: int, outputs: int) -> Iterator[Rule]:
    yield from _norm(f"{ours}.first.0", f"{theirs}.norm1", inputs)
    yield from linear(f"{ours}.first.2", f"{theirs}.conv1", outputs, inputs, kernel=(3, 3))
    yield from _norm(f"{ours}.second.0", f"{theirs}.norm2", outputs)
    yield from linear(f"{ours}.second.2", f"{theirs}.conv2", outputs, outputs, kernel=(3, 3))
    if inputs != outputs:
        yield from linear(f"{ours}.skip", f"{theirs}.conv_shortcut", outputs, inputs, kernel=(1, 1))


def _middle(ours: Iterator[str], theirs: str, width: int) -> Iterator[Rule]:
    yield from _residual(next(ours), f"{theirs}.resnets.0", width, width)
    attention, name = next(ours), f"{theirs}.attentions.0"
    yield from _norm(f"{attention}.norm", f"{name}.group_norm", width)
    yield from linear(f"{attention}.qkv", tuple(f"{name}.to_{part}" for part in "qkv"), width, width)
    yield from linear(f"{attention}.out", f"{name}.to_out.0", width, width)
    yield from _residual(next(ours), f"{theirs}.resnets.1", width, width)


def autoencoder_rules(config: AutoencoderConfig) -> Iterator[Rule]:
    """AutoencoderKL."""
    widths, channels = config.widths, config.channels
    deepest, levels = widths[-1], len(widths)
    ours = map("encoder.{}".format, itertools.count())
    yield from linear(next(ours), "encoder.conv_in", widths[0], 3, kernel=(3, 3))
    for level, width in enumerate(widths):
        theirs = f"encoder.down_blocks.{level}"
        for index in range(config.blocks):
            before = widths[max(level - 1, 0)] if index == 0 else width
            yield from _residual(next(ours), f"{theirs}.resnets.{index}", before, width)
        if level < levels - 1:
            yield from linear(f"{next(ours)}.convolution", f"{theirs}.downsamplers.0.conv", width, width, kernel=(3, 3))
    yield from _middle(ours, "encoder.mid_block", deepest)
    yield from _norm(next(ours), "encoder.conv_norm_out", deepest)
    next(ours)
    yield from linear(next(ours), "encoder.conv_out", 2 * channels, deepest, kernel=(3, 3))
    ours = map("decoder.{}".format, itertools.count())
    yield from linear(next(ours), "decoder.conv_in", deepest, channels, kernel=(3, 3))
    yield from _middle(ours, "decoder.mid_block", deepest)
    for level in range(levels):
        theirs, width = f"decoder.up_blocks.{level}", widths[levels - 1 - level]
        for index in range(config.blocks + 1):
            before = widths[min(levels - level, levels - 1)] if index == 0 else width
            yield from _residual(next(ours), f"{theirs}.resnets.{index}", before, width)
        if level < levels - 1:
            yield from linear(f"{next(ours)}.convolution", f"{theirs}.upsamplers.0.conv", width, width, kernel=(3, 3))
    yield from _norm(next(ours), "decoder.conv_norm_out", widths[0])
    next(ours)
    yield from linear(next(ours), "decoder.conv_out", 3, widths[0], kernel=(3, 3))
    if config.quantized:
        yield from linear("quant", "quant_conv", 2 * channels, 2 * channels, kernel=(1, 1))
        yield from linear("post_quant", "post_quant_conv", channels, channels, kernel=(1, 1))
