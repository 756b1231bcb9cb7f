"""Configurations of networks from the names and shapes of their tensors.

Shapes do not determine noise levels, attention heads, dropout, and whether an output is noise or defines an energy.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.config.guided_diffusion import EncoderConfig, UNetConfig
from compose_diffusion.models.guided_diffusion import build_network
from compose_diffusion.presets import PUBLISHED

Shapes = Mapping[str, tuple[int, ...]]
# Lowest resolution of published networks; the shapes of a U-Net do not determine its image size.
COARSEST_SIZE = 8
# Number of differences in an error message.
SHOWN_DIFFERENCES = 3


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Name -> shape."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


@functools.cache
def expected_shapes(config: UNetConfig | EncoderConfig) -> Shapes:
    """Name -> shape of every tensor of a configuration's network; nothing is allocated."""
    with torch.device("meta"):
        return shapes_of(build_network(config).state_dict())


def published_config(shapes: Shapes, name: str = "") -> UNetConfig | EncoderConfig | None:
    """The configuration of the published file with exactly these names and shapes; None if there is none.

    Args:
        shapes: of the file's tensors.
        name: of the file without extension; preferred among published files with equal shapes.
    """
    for published in sorted(PUBLISHED, key=lambda known: known != name):
        if expected_shapes(PUBLISHED[published]) == shapes:
            return PUBLISHED[published]
    return None


def infer_config(shapes: Shapes) -> UNetConfig | EncoderConfig | None:
    """The configuration whose network has exactly these names and shapes; None if there is none.

    Noise levels, form, heads and dropout are the defaults, and the image size of a U-Net assumes 8 x 8 pixels at its
    lowest resolution.
    """
    for config in _candidates(shapes):
        if config is not None and expected_shapes(config) == shapes:
            return config
    return None


def _candidates(shapes: Shapes) -> list[UNetConfig | EncoderConfig | None]:
    """A configuration for each possible number of resolutions."""
    blocks = 1 + max((int(name.split(".")[1]) for name in shapes if name.startswith("input_blocks.")), default=0)
    divisors = [count for count in range(1, blocks + 1) if blocks % count == 0 and blocks // count > 1]
    return [_candidate(shapes, resolutions, blocks // resolutions - 1) for resolutions in divisors]


def _candidate(shapes: Shapes, resolutions: int, num_blocks: int) -> UNetConfig | EncoderConfig | None:
    def first(name: str, axis: int = 0) -> int:
        shape = shapes.get(f"{name}.weight", ())
        return shape[axis] if len(shape) > axis else 0

    width, channels = first("time_embed.0", 1), first("input_blocks.0.0", 1)
    starts = [1 + level * (num_blocks + 1) for level in range(resolutions)]
    widths = [first(f"input_blocks.{start}.0.in_layers.2") for start in starts]
    attends = [f"input_blocks.{start}.1.qkv.weight" in shapes for start in starts]
    modulation = first("input_blocks.1.0.emb_layers.1")
    if not (width and channels and all(widths)):
        return None
    size = COARSEST_SIZE * 2 ** (resolutions - 1)
    positions = shapes.get("out.2.positional_embedding")
    if positions is not None and len(positions) == 2:
        size = round((positions[1] - 1) ** 0.5) * 2 ** (resolutions - 1)
    shared: dict[str, Any] = {
        "image_size": size,
        "width": width,
        "multipliers": tuple(count / width for count in widths),
        "num_blocks": num_blocks,
        "attention_sizes": tuple(size // 2**level for level, attended in enumerate(attends) if attended),
        "scale_shift_norm": modulation == 2 * widths[0],
        "residual_resampling": not any(".op." in name for name in shapes),
        "image_channels": channels,
        # 64, unless it does not divide the channels.
        "head_width": 64 if all(count % 64 == 0 for count in widths) else 32,
    }
    try:
        if any(name.startswith("output_blocks.") for name in shapes):
            return UNetConfig(**shared, **_condition(shapes), predicts_variance=first("out.2") == 2 * channels)
        pool = "attention" if positions is not None else "average"
        classes = first("out.2.c_proj") if positions is not None else first("out.3")
        return EncoderConfig(**shared, pool=pool, num_classes=classes)
    except UsageError:
        return None


def _condition(shapes: Shapes) -> dict[str, Any]:
    """Condition fields of a U-Net: positions have a linear label embedding, with a bias."""
    null = "null_emb.weight" in shapes
    if "label_emb.bias" in shapes:
        return {"condition": "position", "null_condition": null}
    if "label_emb.weight" in shapes:
        return {"condition": "class", "num_classes": shapes["label_emb.weight"][0], "null_condition": null}
    if "transformer_proj.weight" in shapes:
        return {"condition": "text", "text_dim": shapes["transformer_proj.weight"][1]}
    return {}


def check_shapes(path: Path, expected: Shapes, found: Shapes) -> None:
    """Raise `UsageError` with the first differences, and a configuration that fits."""
    differences = [f"'{name}' is missing" for name in expected if name not in found]
    differences += [f"'{name}' is unexpected" for name in found if name not in expected]
    differences += [
        f"'{name}' has shape {found[name]}, expected {shape}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    if not differences:
        return
    more = len(differences) - SHOWN_DIFFERENCES
    listed = "; ".join(differences[:SHOWN_DIFFERENCES]) + (f" and {more} more" if more > 0 else "")
    fitting = infer_config(found)
    advice = "give the configuration it was trained with"
    if fitting is not None:
        advice = f"its tensors are those of {fitting}"
    raise UsageError(f"{path} does not fit the configuration: {listed}; {advice}")
