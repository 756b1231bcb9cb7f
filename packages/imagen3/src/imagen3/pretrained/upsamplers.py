"""An upsampler as one folder: `config.json` and the weights of its denoiser; autoencoder and text are of a system."""

from dataclasses import dataclass
from pathlib import Path

import torch
from onepaper.checkpoints import read_pretrained
from onepaper.errors import UsageError
from onepaper.torch.state_files import no_larger_than, save_pretrained
from onepaper.weights import find_weights
from torch import nn

from imagen3.config import UpsamplerConfig
from imagen3.models.networks import build_denoiser, fill, read_tensors
from imagen3.pretrained.systems import System, open_system


@dataclass(frozen=True, eq=False)
class Upsampler:
    """A denoiser of large latents beside small ones, and the system whose pictures it enlarges."""

    config: UpsamplerConfig
    denoiser: nn.Module
    system: System

    def to(self, device: torch.device | str) -> "Upsampler":
        """The networks on a device; they are moved, not copied."""
        return Upsampler(self.config, self.denoiser.to(device), self.system.to(device))


def check_parts(config: UpsamplerConfig, system: System) -> None:
    """Raise `UsageError` unless the denoiser takes the latents and texts of the system."""
    channels, dim = system.config.autoencoder.channels, system.config.text.dim
    for name, found, expected in (
        ("output_channels", config.denoiser.output_channels, channels),
        ("text_dim", config.denoiser.text_dim, dim),
    ):
        if found != expected:
            raise UsageError(f"denoiser.{name} is {found}, expected {expected} of the system {config.system}")


def save_upsampler(folder: Path, upsampler: Upsampler) -> Path:
    """Write `config.json` and `model.safetensors`; the system is named, not copied.

    Raises:
        OnePaperError: the folder cannot be written.
    """
    return save_pretrained(folder, upsampler.denoiser, upsampler.config)


def open_upsampler(name: str | Path) -> Upsampler:
    """The upsampler of a folder or training run, on the CPU.

    Raises:
        UsageError: no such folder, its system is missing, or one of other latents.
        OnePaperError: the weights are missing, damaged, not finite, or of another architecture.
    """
    config, weights = read_pretrained(find_weights(name, "imagen3"), UpsamplerConfig)
    system = open_system(config.system)
    check_parts(config, system)
    with torch.device("meta"), no_larger_than(weights):
        denoiser = build_denoiser(config.denoiser)
    fill(denoiser, read_tensors(weights), weights)
    return Upsampler(config, denoiser, system)
