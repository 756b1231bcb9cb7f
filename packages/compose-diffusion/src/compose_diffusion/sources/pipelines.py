"""Source of a saved pipeline: the condition in `NAME[CONDITION]` is a class or a prompt."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import DiffusionPipeline
from jaxtyping import Float
from onepaper.config import read_json
from onepaper.display.file_bytes import picture_png
from onepaper.errors import UsageError
from onepaper.runs import write_atomic
from torch import Tensor

from compose_diffusion.algebra.composition import Leaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.pretrained.adapters import denoiser_of, from_diffusers
from compose_diffusion.pretrained.folders import open_pipeline
from compose_diffusion.pretrained.networks import network_kind
from compose_diffusion.pretrained.schedulers import trained_levels
from compose_diffusion.sources.checkpoints import CheckpointSource
from compose_diffusion.sources.pictures import tiles
from compose_diffusion.sources.source import Source

# Step sizes scale with the curvature, about 1 / sigma_t^2; small enough for products of two or three densities.
KERNEL_DEFAULTS: Mapping[str, SamplerOptions] = {
    "ula": SamplerOptions(kernel="ula", step_law="sigma-power", step_scale=0.05, step_power=2.0),
    "mala": SamplerOptions(kernel="mala", step_law="sigma-power", step_scale=0.05, step_power=2.0),
    "uhmc": SamplerOptions(kernel="uhmc", step_law="sigma-power", step_scale=0.2, momentum="per-level"),
    "hmc": SamplerOptions(kernel="hmc", step_law="sigma-power", step_scale=0.2, momentum="per-level"),
}
# Default number of levels of a sampler.
NUM_LEVELS = 100
# Smaller images are enlarged to about this size, without interpolation.
SHOWN_SIZE = 64
# Latents decoded together, because the decoder needs far more memory than the denoiser.
DECODED_AT_ONCE = 8


class PipelineSource(Source):
    """A pipeline of diffusers from a folder, on its own noise levels.

    Args:
        folder: as written by `save_pretrained`; read by `open_pipeline`.
        guidance_scale: of every leaf with a prompt or class; None for none.
        num_levels: of the sampler.
        device: of the pipeline.
        dtype: of the network; samples and scores stay float32.

    Raises:
        UsageError: see `from_diffusers`; also a network whose configuration has no sample size.
    """

    kernel_defaults = KERNEL_DEFAULTS

    def __init__(
        self,
        folder: Path,
        *,
        guidance_scale: float | None = None,
        num_levels: int = NUM_LEVELS,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
    ) -> None:
        self.pipeline: DiffusionPipeline = open_pipeline(folder)
        cast(Any, self.pipeline).to(device)
        network = denoiser_of(self.pipeline)
        if dtype is not None:
            network.to(dtype)
        self.kind = network_kind(network)
        if self.kind.event_shape is None:
            raise UsageError(
                f"the network in {folder} leaves sample_size open, expected a size; set it in the config.json beside "
                "its weights"
            )
        self.guidance_scale = guidance_scale
        trained = trained_levels(cast(Any, self.pipeline).scheduler, num_levels)
        self.schedule = trained.schedule
        self.event_shape = self.kind.event_shape
        self.clip_x0 = trained.clip_x0

    def leaf(self, condition: str | None, schedule: NoiseSchedule) -> Leaf:
        """The pipeline's network conditioned on a class (a number) or a prompt, or unconditional.

        Raises:
            UsageError: a condition for an unconditional model, or an invalid class.
        """
        if self.kind.condition == "text":
            guidance = None if condition is None else self.guidance_scale
            return from_diffusers(self.pipeline, prompt=condition or "", guidance_scale=guidance, schedule=schedule)
        if condition is None:
            return from_diffusers(self.pipeline, schedule=schedule)
        label = condition.strip()
        if self.kind.condition == "class" and not label.isdecimal():
            classes = f"a number from 0 to {self.kind.num_classes - 1}" if self.kind.num_classes else "a number"
            raise UsageError(f"condition is '{condition}', expected {classes}: a class of the model")
        if self.kind.condition == "none":
            raise UsageError(
                f"condition is '{condition}', but the network is unconditional; write its name without brackets"
            )
        return from_diffusers(
            self.pipeline, condition=int(label), guidance_scale=self.guidance_scale, schedule=schedule
        )

    def write_picture(self, x: Float[Tensor, "batch *event"], path: Path) -> None:
        """The samples in a grid; latents are decoded."""
        images = decode(self.pipeline, x)
        if images.shape[1] not in (1, 3):
            raise UsageError(f"samples have {images.shape[1]} channels, expected 1 (grey) or 3 (colour) for a picture")
        factor = max(1, SHOWN_SIZE // max(images.shape[2:]))
        columns = max(8, math.ceil(math.sqrt(len(images))))
        write_atomic(path, picture_png(tiles(images, columns, scale=factor)))


def open_source(path: Path, device: torch.device) -> Source:
    """The source of a path: a pipeline's folder or a published checkpoint.

    Raises:
        UsageError: neither; see `PipelineSource` and `CheckpointSource`.
    """
    if (path / "model_index.json").is_file():
        read_json(path / "model_index.json", "index of a pipeline")
        return PipelineSource(path, device=device)
    return CheckpointSource(path, device=device)


def decode(
    pipeline: DiffusionPipeline, x: Float[Tensor, "batch *event"]
) -> Float[Tensor, "batch channels height width"]:
    """Images in [-1, 1] of samples: latents are decoded by the pipeline's autoencoder, pixels returned unchanged."""
    vae: Any = getattr(pipeline, "vae", None)
    if vae is None:
        return x.clamp(-1, 1)
    config = vae.config
    latents = x / config.scaling_factor + (config.get("shift_factor") or 0.0)
    with torch.no_grad():
        parts = [vae.decode(part.to(vae.dtype)).sample for part in latents.split(DECODED_AT_ONCE)]
    return torch.cat(parts).to(x.dtype).clamp(-1, 1)
