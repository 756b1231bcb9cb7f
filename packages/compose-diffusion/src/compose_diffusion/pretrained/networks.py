"""One call signature for the U-Nets and transformers of diffusers, with their conditions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from diffusers import (
    DiTTransformer2DModel,
    PixArtTransformer2DModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
    UNet2DModel,
)
from onepaper.errors import UsageError
from torch import Tensor, nn

Tensors = Mapping[str, Tensor]
# (network, x [batch, channels, height, width], time [batch], conditions) -> output, possibly with a variance.
Call = Callable[[Any, Tensor, Tensor, Tensors], Tensor]
ConditionKind = Literal["none", "class", "text"]


@dataclass(frozen=True, eq=False)
class NetworkKind:
    """Inputs of a network.

    Attributes:
        call: function that calls the network.
        condition: type of its condition.
        event_shape: (channels, height, width) of one sample or latent; None if the configuration has no size.
        channels: of one sample.
        num_classes: of class-conditional networks.
        null_class: the unconditional class, if the network defines one.
    """

    call: Call
    condition: ConditionKind
    event_shape: tuple[int, int, int] | None
    channels: int
    num_classes: int | None = None
    null_class: int | None = None


def network_kind(network: nn.Module) -> NetworkKind:
    """How to call a network of diffusers.

    Raises:
        UsageError: a network of another class, or one with inputs other than noised samples.
    """
    original: nn.Module = getattr(network, "_orig_mod", network)  # what torch.compile wraps
    entry = next((entry for entry in _FAMILIES if isinstance(original, entry[0])), None)
    if entry is None:
        known = ", ".join(family.__name__ for family, _, _ in _FAMILIES)
        raise UsageError(
            f"network is {type(original).__name__}, expected one of {known}; wrap others in PredictionLeaf"
        )
    config = cast(Any, original).config
    channels = int(config.in_channels)
    out_channels = channels if config.out_channels is None else int(config.out_channels)
    if out_channels not in (channels, 2 * channels):
        raise UsageError(
            f"{type(original).__name__} maps {channels} channels to {out_channels}, expected as many (or twice as "
            "many, with a variance); networks for inpainting or upscaling need more than noised samples"
        )
    _, call, condition = entry
    num_classes = null_class = None
    if isinstance(original, UNet2DModel) and original.class_embedding is not None:
        condition, num_classes = "class", config.num_class_embeds
    if isinstance(original, DiTTransformer2DModel):
        num_classes = null_class = int(config.num_embeds_ada_norm)
    return NetworkKind(call, condition, _event_shape(config.sample_size, channels), channels, num_classes, null_class)


def _event_shape(size: Any, channels: int) -> tuple[int, int, int] | None:
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    return channels, int(height), int(width)


def _call_unet(network: Any, x: Tensor, time: Tensor, conditions: Tensors) -> Tensor:
    return network(x, time, class_labels=conditions.get("class_labels")).sample


def _call_conditional_unet(network: Any, x: Tensor, time: Tensor, conditions: Tensors) -> Tensor:
    # Stable Diffusion XL adds pooled text and the image's size to the time embedding.
    added = {name: conditions[name] for name in ("text_embeds", "time_ids") if name in conditions}
    return network(
        x,
        time,
        encoder_hidden_states=conditions["encoder_hidden_states"],
        class_labels=conditions.get("class_labels"),
        added_cond_kwargs=added or None,
    ).sample


def _call_dit(network: Any, x: Tensor, time: Tensor, conditions: Tensors) -> Tensor:
    return network(x, timestep=time, class_labels=conditions["class_labels"]).sample


def _call_sd3(network: Any, x: Tensor, time: Tensor, conditions: Tensors) -> Tensor:
    return network(
        hidden_states=x,
        timestep=time,
        encoder_hidden_states=conditions["encoder_hidden_states"],
        pooled_projections=conditions["pooled_projections"],
    ).sample


def _call_pixart(network: Any, x: Tensor, time: Tensor, conditions: Tensors) -> Tensor:
    # Only the largest PixArt models use the image size.
    size = {name: conditions.get(name) for name in ("resolution", "aspect_ratio")}
    return network(
        x,
        encoder_hidden_states=conditions["encoder_hidden_states"],
        encoder_attention_mask=conditions.get("encoder_attention_mask"),
        timestep=time,
        added_cond_kwargs=size,
    ).sample


_FAMILIES: tuple[tuple[type[nn.Module], Call, ConditionKind], ...] = (
    (UNet2DModel, _call_unet, "none"),
    (UNet2DConditionModel, _call_conditional_unet, "text"),
    (DiTTransformer2DModel, _call_dit, "class"),
    (SD3Transformer2DModel, _call_sd3, "text"),
    (PixArtTransformer2DModel, _call_pixart, "text"),
)


def network_dtype(network: nn.Module) -> torch.dtype:
    """The dtype that a network computes in: that of its first floating-point weights."""
    return next((weight.dtype for weight in network.parameters() if weight.is_floating_point()), torch.float32)


def check_weights(network: nn.Module) -> None:
    """Refuse weights that are not finite, with which every sample would be NaN.

    Raises:
        UsageError: NaN or infinity in a weight.
    """
    for name, weight in network.named_parameters():
        if not weight.is_meta and weight.is_floating_point() and not bool(weight.isfinite().all()):
            raise UsageError(
                f"weight {name} of {type(network).__name__} has {int((~weight.isfinite()).sum())} numbers that are not "
                "finite, expected finite weights; the file is damaged or its training diverged"
            )
