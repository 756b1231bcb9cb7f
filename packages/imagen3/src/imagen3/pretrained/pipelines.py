"""Pipelines of the library diffusers as systems: SD3, SD3.5, FLUX and PixArt-alpha."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from onepaper.config import read_json
from onepaper.errors import UsageError

from imagen3.config import (
    AutoencoderConfig,
    DataConfig,
    DenoiserConfig,
    ObjectiveConfig,
    SamplingOptions,
    SystemConfig,
    TextConfig,
)
from imagen3.models.flux import Flux
from imagen3.models.networks import fill
from imagen3.presets import PRESETS
from imagen3.pretrained.diffusers_folders import empty_network, read_network
from imagen3.pretrained.systems import System
from imagen3.text.encoder import open_encoder
from imagen3.text.pipeline import pipeline_class, read_settings

# Of FLUX, whose configuration has no size of pictures.
FLUX_SIZE = 1024
# As the pipelines themselves cut texts.
MAX_TOKENS = {"StableDiffusion3Pipeline": 256, "FluxPipeline": 512, "PixArtAlphaPipeline": 120}


def read_pipeline(folder: Path) -> System:
    """The system of a pipeline; its text encoders stay in the folder.

    Args:
        folder: with `model_index.json`, `transformer/`, `vae/` and the text encoders.

    Raises:
        UsageError: a pipeline, a class or an option that is not known, or a file that is missing.
        OnePaperError: damaged weights, or diffusers is not installed.
    """
    kind = pipeline_class(folder)
    parts: dict[str, tuple[Any, Any]] = {name: read_network(folder / name) for name in ("transformer", "vae")}
    denoiser, autoencoder = parts["transformer"][0], parts["vae"][0]
    if not isinstance(denoiser, DenoiserConfig) or not isinstance(autoencoder, AutoencoderConfig):
        raise UsageError(f"{folder} has other networks in transformer and vae than its class {kind}")
    config = system_config(folder, kind, denoiser, autoencoder)
    networks = []
    for name, (own, tensors) in parts.items():
        model = empty_network(own)
        fill(model, {key: value.float() for key, value in tensors.items()}, folder / name)
        networks.append(model)
    return System(config, networks[1], networks[0], open_encoder(config.text))


def system_config(folder: Path, kind: str, denoiser: DenoiserConfig, autoencoder: AutoencoderConfig) -> SystemConfig:
    """The configuration of a pipeline; its trainings are those of the preset paper-2b, as none are published."""
    scheduler = read_settings(folder / "scheduler" / "scheduler_config.json")
    side = read_json(folder / "transformer" / "config.json").get("sample_size", FLUX_SIZE // autoencoder.factor)
    objective, shift = ObjectiveConfig(), 1.0
    if kind == "PixArtAlphaPipeline":
        found = tuple(scheduler.get(name) for name in ("beta_schedule", "beta_start", "beta_end"))
        if found != ("linear", 1e-4, 2e-2):
            raise UsageError(f"the scheduler has betas {found}, expected ('linear', 0.0001, 0.02)")
        objective = ObjectiveConfig("epsilon")
    else:
        shift = shift_of(scheduler, (side // denoiser.patch) ** 2)
    return replace(
        PRESETS["paper-2b"].config,
        data=DataConfig("folder", Path("pictures"), size=side * autoencoder.factor),
        text=TextConfig(
            "pipeline", folder.resolve(), max_tokens=MAX_TOKENS[kind],
            dim=denoiser.text_dim, pooled_dim=denoiser.pooled_dim,
        ),
        autoencoder=autoencoder,
        denoiser=denoiser,
        objective=objective,
        sampling=SamplingOptions(
            steps=28, guidance=1.0 if denoiser.guidance_input else 4.5, shift=shift,
        ),
    )  # fmt: skip


def pipeline_options(system: System, size: tuple[int, int]) -> SamplingOptions:
    """The options of an imported system for a height and width in pixels, on which the shift of FLUX depends."""
    config = system.config
    if config.text.encoder != "pipeline" or config.text.path is None or config.objective.prediction == "epsilon":
        return config.sampling
    height, width = (side // (config.autoencoder.factor * config.denoiser.patch) for side in size)
    scheduler = read_settings(config.text.path / "scheduler" / "scheduler_config.json")
    return replace(config.sampling, shift=shift_of(scheduler, height * width))


def set_distilled_guidance(system: System, weight: float) -> None:
    """Give a FLUX network that was distilled with guidance its weight, 3.5 by default.

    Raises:
        UsageError: guidance is no input of the network.
    """
    if not isinstance(system.denoiser, Flux) or not system.config.denoiser.guidance_input:
        raise UsageError("guidance is no input of this network; use --guidance in place of --distilled-guidance")
    system.denoiser.guidance = weight


def shift_of(scheduler: Mapping[str, Any], patches: int) -> float:
    r"""The $\alpha$ of a scheduler of rectified flow; where it is dynamic, $\log \alpha$ is linear in the patches."""
    if not scheduler.get("use_dynamic_shifting"):
        return float(scheduler.get("shift", 1.0))
    fewest, most = scheduler.get("base_image_seq_len", 256), scheduler.get("max_image_seq_len", 4096)
    low, high = scheduler.get("base_shift", 0.5), scheduler.get("max_shift", 1.15)
    return math.exp(low + (high - low) * (patches - fewest) / (most - fewest))
