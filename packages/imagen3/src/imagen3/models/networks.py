"""The choice among networks: each kind of a configuration has a class and a number of parameters in closed form."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from onepaper.checkpoints import check_tree, read_pretrained
from onepaper.errors import OnePaperError, UsageError
from onepaper.torch.state_files import model_tensors, no_larger_than, tree_of
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from imagen3.config import AutoencoderConfig, DenoiserConfig
from imagen3.models.autoencoder import Autoencoder
from imagen3.models.cross_dit import CrossDiT, cross_parameter_count
from imagen3.models.flux import Flux, flux_parameter_count
from imagen3.models.kl_autoencoder import KLAutoencoder
from imagen3.models.mmdit import MMDiT, parameter_count
from imagen3.models.uvit import UViT, uvit_parameter_count

AnyAutoencoder = Autoencoder | KLAutoencoder


class Kind(NamedTuple):
    """A class of denoisers."""

    build: Callable[[DenoiserConfig], nn.Module]
    parameters: Callable[[DenoiserConfig], int]


KINDS = {
    "mm-dit": Kind(MMDiT, parameter_count),
    "flux": Kind(Flux, flux_parameter_count),
    "cross-dit": Kind(CrossDiT, cross_parameter_count),
    "linear-dit": Kind(CrossDiT, cross_parameter_count),
    "uvit": Kind(UViT, uvit_parameter_count),
}


def build_denoiser(config: DenoiserConfig) -> nn.Module:
    """The denoiser of a configuration, as initialised for a training; kept as `config` in it."""
    return KINDS[config.kind].build(config)


def build_autoencoder(config: AutoencoderConfig) -> AnyAutoencoder:
    """The autoencoder of a configuration, as initialised for a training; kept as `config` in it."""
    return KLAutoencoder(config) if config.kind == "kl" else Autoencoder(config)


def denoiser_parameter_count(config: DenoiserConfig) -> int:
    """Number of parameters in closed form; nothing is allocated."""
    return KINDS[config.kind].parameters(config)


def open_network(folder: str | Path) -> Any:
    """A denoiser or autoencoder of a folder with `model.safetensors` and `config.json`, in float32 on the CPU.

    Raises:
        UsageError: no such folder, or another model.
        OnePaperError: the weights are missing, damaged, not finite, or of another architecture.
    """
    folder = Path(folder)
    try:
        config, weights = read_pretrained(folder, DenoiserConfig)
        build: Any = build_denoiser
    except UsageError:
        config, weights = read_pretrained(folder, AutoencoderConfig)
        build = build_autoencoder
    with torch.device("meta"), no_larger_than(weights):
        model = build(config)
    fill(model, read_tensors(weights), weights)
    return model


def read_tensors(weights: Path, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """All tensors of a file in one dtype.

    Raises:
        OnePaperError: the file is damaged.
    """
    try:
        return {name: value.to(dtype) for name, value in load_file(weights).items()}
    except (SafetensorError, OSError) as error:
        raise OnePaperError(f"{weights} is damaged or no safetensors file ({error})") from error


def fill(model: nn.Module, stored: Mapping[str, Tensor], source: Path) -> None:
    """Give a model without memory (of the device meta) its tensors, for evaluation.

    Raises:
        UsageError: a tensor is not finite.
        OnePaperError: names or shapes differ.
    """
    dtype = next(iter(stored.values())).dtype
    check_tree(
        tree_of({name: value.to(dtype) for name, value in model_tensors(model).items()}), tree_of(stored), source
    )
    for name, value in stored.items():
        if not torch.isfinite(value).all():
            raise UsageError(f"{source}: {name} is not finite; use weights of another training")
    model.load_state_dict(dict(stored), assign=True)
    model.requires_grad_(False).eval()
