"""Pipelines of the library diffusers as systems: SD3, SD3.5, FLUX and PixArt-alpha."""

import json
import math
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
from imagen3.models.networks import fill
from imagen3.presets import PRESETS
from imagen3.pretrained.diffusers_folders import empty_network, read_network
from imagen3.pretrained.systems import System
from imagen3.text.encoder import open_encoder
from imagen3.text.pipeline import pipeline_class

# Of FLUX, whose configuration has no size of pictures.
FLUX_SIZE = 1024


def is_pipeline(folder: Path) -> bool:
    """Whether a folder has an index of networks, in place of one network."""
    return (folder / "model_index.json").is_file()


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
    scheduler = _scheduler(folder / "scheduler" / "scheduler_config.json")
    side = read_json(folder / "transformer" / "config.json").get("sample_size", FLUX_SIZE // autoencoder.factor)
    objective, shift = ObjectiveConfig(), 1.0
    if kind == "PixArtAlphaPipeline":
        found = tuple(scheduler.get(name) for name in ("beta_schedule", "beta_start", "beta_end"))
        if found != ("linear", 1e-4, 2e-2):
            raise UsageError(f"the scheduler has betas {found}, expected ('linear', 0.0001, 0.02)")
        objective = ObjectiveConfig("epsilon")
    elif scheduler.get("use_dynamic_shifting"):
        # The shift is exponential in a line of the number of patches; this is its value at the largest one.
        shift = math.exp(scheduler.get("max_shift", 1.15))
    else:
        shift = float(scheduler.get("shift", 1.0))
    return replace(
        PRESETS["paper-2b"].config,
        data=DataConfig("folder", Path("pictures"), size=side * autoencoder.factor),
        text=TextConfig(
            "pipeline", folder.resolve(), max_tokens=120 if objective.prediction == "epsilon" else 256,
            dim=denoiser.text_dim, pooled_dim=denoiser.pooled_dim,
        ),
        autoencoder=autoencoder,
        denoiser=denoiser,
        objective=objective,
        sampling=SamplingOptions(
            steps=28, guidance=1.0 if denoiser.guidance_input else 4.5, shift=shift,
        ),
    )  # fmt: skip


def _scheduler(path: Path) -> dict[str, Any]:
    try:
        # Not `read_json`: these files may hold -Infinity, which is no number of JSON.
        values = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"configuration of the scheduler {path} cannot be read ({error}); fetch it again") from None
    return values if isinstance(values, dict) else {}
