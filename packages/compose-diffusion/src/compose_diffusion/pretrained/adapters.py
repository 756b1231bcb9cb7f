"""`from_diffusers`: a pipeline, a network, or a folder of either, as a leaf."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import DiffusionPipeline, SchedulerMixin
from onepaper.errors import UsageError
from torch import Tensor, nn

from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.pretrained.conditions import (
    NO_CONDITION,
    Condition,
    Label,
    Prompt,
    class_condition,
    encode_prompt,
    given_condition,
)
from compose_diffusion.pretrained.folders import open_network, open_pipeline
from compose_diffusion.pretrained.leaf import DiffusersLeaf
from compose_diffusion.pretrained.matching import match_levels
from compose_diffusion.pretrained.networks import NetworkKind, check_weights, network_kind
from compose_diffusion.pretrained.schedulers import trained_levels

# Attribute names of the denoiser of a pipeline.
DENOISERS = ("unet", "transformer")


def from_diffusers(
    model: DiffusionPipeline | nn.Module | str | Path,
    *,
    condition: Label | Mapping[str, Tensor] | None = None,
    prompt: Prompt | None = None,
    negative_prompt: Prompt = "",
    guidance_scale: float | None = None,
    null_class: int | None = None,
    schedule: NoiseSchedule | None = None,
    num_levels: int | None = None,
    scheduler: SchedulerMixin | None = None,
    prediction: str | None = None,
    match: str = "snr",
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    offload: bool = False,
) -> DiffusersLeaf:
    r"""A model of diffusers, without fine-tuning, as a leaf of an expression.

        >>> first = from_diffusers("folder/of/a/pipeline", num_levels=100)
        >>> second = from_diffusers(another_pipeline, prompt="in watercolour", schedule=first.schedule)
        >>> both = first & second

    Supported networks: UNet2DModel (unconditional or of classes), UNet2DConditionModel (Stable Diffusion, XL),
    DiTTransformer2DModel, SD3Transformer2DModel, PixArtTransformer2DModel; predictions eps, v, x0 and flow. The leaf
    of a latent model works on latents.

    Args:
        model: a pipeline, a network with `scheduler`, or a folder of either as written by `save_pretrained`. From disk,
            only safetensors and JSON are read, and nothing is downloaded. Leaves of one loaded model share its calls,
            so load a model once for several leaves.
        condition: class or [batch] classes, or the network's own arguments as tensors by name.
        prompt: text for all samples or one for each, encoded by the pipeline.
        negative_prompt: prompt of the negative branch of guidance; "" is the unconditional prompt.
        guidance_scale: weight w of classifier-free guidance, n + w (c - n); None or 1 for none.
        null_class: the unconditional class, for guidance of class-conditional U-Nets; class-conditional transformers
            define theirs.
        schedule: levels of the sampler; the model's own if absent. The network is evaluated at its level of equal
            signal-to-noise ratio.
        num_levels: without `schedule`, number of the model's own levels to use; all if absent.
        scheduler: in place of the pipeline's.
        prediction: prediction of the network, if the configuration of its scheduler does not state it.
        match: "exact" raises an error for levels that the network was not trained on.
        dtype: of the network's weights and computation, e.g. torch.bfloat16; the leaf's scores stay float32. The model
            that was passed is converted in place.
        device: of the network; samples must be on the same device.
        offload: keep the weights in main memory and copy them to `device` layer by layer (needs accelerate).

    Returns:
        The leaf; give its `schedule` to samplers and further leaves.

    Raises:
        UsageError: an unknown network, scheduler or prediction type; a condition or prompt that the network does not
            take; a pipeline without text encoder for a prompt; levels that differ under match="exact"; a folder that
            holds no model, or code or pickles instead of safetensors.
    """
    pipeline, network = _opened(model)
    scheduler = scheduler if scheduler is not None else getattr(pipeline, "scheduler", None)
    if scheduler is None:
        raise UsageError(
            f"{type(network).__name__} comes without a scheduler, expected one that says which noise it was trained "
            "on; pass the whole pipeline or scheduler="
        )
    kind = network_kind(network)
    check_weights(network)
    if negative_prompt != "" and guidance_scale in (None, 1.0):
        raise UsageError(
            f"negative_prompt is {negative_prompt!r} without guidance, expected guidance_scale above 1: it only "
            "replaces the unconditional branch of guidance"
        )
    _place(pipeline, network, dtype, device, offload)
    if schedule is not None and num_levels is not None:
        raise UsageError(f"num_levels is {num_levels} beside a schedule, expected one of them; the schedule has levels")
    trained = trained_levels(scheduler, num_levels, prediction)
    levels = trained.schedule if schedule is None else schedule
    guided = guidance_scale is not None and guidance_scale != 1.0
    chosen, negative = _conditions(pipeline, network, kind, condition, prompt, negative_prompt, guided, null_class)
    return DiffusersLeaf(
        network,
        kind,
        levels,
        match_levels(trained, levels, match),
        chosen,
        negative=negative,
        guidance_scale=cast(float, guidance_scale) if guided else 1.0,
        clip_x0=trained.clip_x0,
    )


def _opened(model: DiffusionPipeline | nn.Module | str | Path) -> tuple[DiffusionPipeline | None, nn.Module]:
    if isinstance(model, str | Path):
        folder = Path(model)
        if not (folder / "model_index.json").is_file() and (folder / "config.json").is_file():
            return None, open_network(folder)
        model = open_pipeline(folder)
    if isinstance(model, DiffusionPipeline):
        return model, denoiser_of(model)
    return None, model.eval()


def denoiser_of(pipeline: DiffusionPipeline) -> nn.Module:
    """The denoiser of a pipeline, in evaluation mode.

    Raises:
        UsageError: it has none.
    """
    for name in DENOISERS:
        if (network := getattr(pipeline, name, None)) is not None:
            return cast(nn.Module, network).eval()
    raise UsageError(f"{type(pipeline).__name__} has no {' or '.join(DENOISERS)}; pass its network and scheduler=")


def _place(
    pipeline: DiffusionPipeline | None,
    network: nn.Module,
    dtype: torch.dtype | None,
    device: torch.device | str | None,
    offload: bool,
) -> None:
    if dtype is not None:
        network.to(dtype)
    if offload:
        from accelerate import cpu_offload

        if hasattr(network, "_hf_hook"):  # already offloaded by an earlier leaf
            return
        cpu_offload(network, execution_device=torch.device(device or "cpu"))
    elif device is not None:
        movable: Any = network if pipeline is None else pipeline
        movable.to(device)


def _conditions(
    pipeline: DiffusionPipeline | None,
    network: nn.Module,
    kind: NetworkKind,
    condition: Label | Mapping[str, Tensor] | None,
    prompt: Prompt | None,
    negative_prompt: Prompt,
    guided: bool,
    null_class: int | None,
) -> tuple[Condition, Condition | None]:
    """The leaf's condition and, with guidance, the negative condition."""
    if prompt is not None and condition is not None:
        raise UsageError(f"prompt is {prompt!r} beside a condition, expected one of them")
    if prompt is not None:
        if pipeline is None:
            raise UsageError(
                f"prompt is {prompt!r} for a {type(network).__name__} alone, expected a pipeline with a text encoder; "
                "pass the whole pipeline, or condition= with the encoded prompt"
            )
        return encode_prompt(pipeline, network, kind, prompt, negative_prompt if guided else None)
    if isinstance(condition, Mapping):
        if guided:
            raise UsageError("guidance_scale is set with tensors, expected a prompt or class; compose guidance(...)")
        return given_condition(condition), None
    null_class = kind.null_class if null_class is None else null_class
    null = None if null_class is None or kind.condition != "class" else class_condition(null_class, kind)
    if condition is not None:
        chosen = class_condition(condition, kind)
        if guided and null is None:
            raise UsageError(
                f"guidance_scale with class {condition}, but {type(network).__name__} names no class that stands for "
                "any; pass null_class="
            )
        return chosen, null if guided else None
    if guided:
        raise UsageError(f"guidance_scale without a condition for {type(network).__name__}; pass condition= or prompt=")
    if kind.condition == "text":
        raise UsageError(f'{type(network).__name__} takes text, expected prompt=; prompt="" is its unconditional model')
    if kind.condition == "class" and null is None:
        raise UsageError(
            f"{type(network).__name__} has {kind.num_classes} classes and none that stands for any, expected "
            "condition= with one, or null_class="
        )
    return (NO_CONDITION if null is None else null), None
