"""A text-to-image system as one folder: `config.json` and the weights of autoencoder and denoiser in one file."""

from dataclasses import dataclass
from pathlib import Path

import torch
from onepaper.checkpoints import check_tree, read_pretrained, write_pretrained
from onepaper.torch.state_files import model_tensors, no_larger_than, tree_of, write_safetensors
from onepaper.weights import find_weights
from torch import Tensor, nn

from imagen3.config import SystemConfig
from imagen3.models.networks import AnyAutoencoder, build_autoencoder, build_denoiser, fill, read_tensors
from imagen3.text.encoder import TextEncoder, open_encoder

DEFAULT_WEIGHTS = "emoji"


@dataclass(frozen=True, eq=False)
class System:
    """Networks, text encoder, and the configuration that they were trained with."""

    config: SystemConfig
    autoencoder: AnyAutoencoder
    denoiser: nn.Module
    encoder: TextEncoder

    @property
    def device(self) -> torch.device:
        """Of the networks."""
        return self.autoencoder.scale.device

    def to(self, device: torch.device | str) -> "System":
        """The networks on a device; they are moved, not copied."""
        return System(self.config, self.autoencoder.to(device), self.denoiser.to(device), self.encoder)


def save_system(folder: Path, system: System, *, half: bool = False) -> Path:
    """Write `config.json` and `model.safetensors`.

    Args:
        folder: made if it does not exist.
        system: to save.
        half: in half precision, which takes half of the space.

    Raises:
        OnePaperError: the folder cannot be written.
    """
    dtype = torch.float16 if half else torch.float32
    tensors = {name: value.to(dtype) for name, value in _tensors(system.autoencoder, system.denoiser).items()}
    return write_pretrained(folder, system.config, lambda path: write_safetensors(path, tensors))


def open_system(name: str | Path = DEFAULT_WEIGHTS) -> System:
    """A system that ships with the package, by its name, or that of a folder or training run, on the CPU.

    Raises:
        UsageError: no such system, or its text encoder is missing.
        OnePaperError: the weights are missing, damaged, not finite, or of another architecture.
    """
    folder = find_weights(name, "imagen3")
    config, weights = read_pretrained(folder, SystemConfig)
    stored = read_tensors(weights)
    with torch.device("meta"), no_larger_than(weights):
        autoencoder, denoiser = build_autoencoder(config.autoencoder), build_denoiser(config.denoiser)
    check_tree(tree_of(_tensors(autoencoder, denoiser)), tree_of(stored), weights)
    for prefix, model in (("autoencoder.", autoencoder), ("denoiser.", denoiser)):
        part = {name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)}
        fill(model, part, weights)
    return System(config, autoencoder, denoiser, open_encoder(config.text))


def _tensors(autoencoder: nn.Module, denoiser: nn.Module) -> dict[str, Tensor]:
    parts = {"autoencoder": autoencoder, "denoiser": denoiser}
    return {f"{part}.{name}": value for part, model in parts.items() for name, value in model_tensors(model).items()}
