"""An upsampler as one folder: `config.json` and the weights of its denoiser; the text encoder is that of a system."""

from dataclasses import dataclass
from pathlib import Path

import torch
from onepaper.checkpoints import read_pretrained
from onepaper.errors import UsageError
from onepaper.torch.state_files import model_tensors, no_larger_than, save_pretrained
from onepaper.weights import find_weights
from torch import nn

from imagen3.config import UpsamplerConfig
from imagen3.models.networks import build_denoiser, fill, read_tensors
from imagen3.pretrained.systems import System, open_system

DEFAULT_UPSAMPLER = "emoji-2x"


@dataclass(frozen=True, eq=False)
class Upsampler:
    """A denoiser of large pictures beside small ones, and the system whose text encoder it uses."""

    config: UpsamplerConfig
    denoiser: nn.Module
    system: System

    def to(self, device: torch.device | str) -> "Upsampler":
        """The networks on a device; they are moved, not copied."""
        return Upsampler(self.config, self.denoiser.to(device), self.system.to(device))


def check_parts(config: UpsamplerConfig, system: System) -> None:
    """Raise `UsageError` unless the denoiser takes the texts of the system."""
    found, expected = config.denoiser.text_dim, system.config.text.dim
    if found != expected:
        raise UsageError(f"denoiser.text_dim is {found}, expected {expected} of the system {config.system}")


def save_upsampler(folder: Path, upsampler: Upsampler, *, half: bool = False) -> Path:
    """Write `config.json` and `model.safetensors`, in half precision if asked for; the system is named, not copied.

    Raises:
        OnePaperError: the folder cannot be written.
    """
    dtype = torch.float16 if half else torch.float32
    tensors = {name: value.to(dtype) for name, value in model_tensors(upsampler.denoiser).items()}
    return save_pretrained(folder, tensors, upsampler.config)


def open_upsampler(name: str | Path = DEFAULT_UPSAMPLER) -> Upsampler:
    """The upsampler that ships with the package, by its name, or that of a folder or training run, on the CPU.

    Raises:
        UsageError: no such upsampler, its system is missing, or one of other texts.
        OnePaperError: the weights are missing, damaged, not finite, or of another architecture.
    """
    config, weights = read_pretrained(find_weights(name, "imagen3"), UpsamplerConfig)
    system = open_system(config.system)
    check_parts(config, system)
    with torch.device("meta"), no_larger_than(weights):
        denoiser = build_denoiser(config.denoiser)
    fill(denoiser, read_tensors(weights), weights)
    return Upsampler(config, denoiser, system)
