"""Networks in folders of the library diffusers, read and written without it.

A folder of a network has `config.json` and `diffusion_pytorch_model.safetensors`, or an index of several such files.
Names and shapes are compared with those of the architecture before any tensor is read.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from onepaper.config import read_json, shortened, unknown
from onepaper.errors import OnePaperError, UsageError
from onepaper.torch.network_size import check_network_size
from onepaper.torch.state_files import model_tensors, write_safetensors
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from imagen3.config import AutoencoderConfig, DenoiserConfig
from imagen3.models.networks import build_autoencoder, build_denoiser
from imagen3.pretrained.descriptions import CLASSES, NetworkConfig, class_of
from imagen3.pretrained.layouts import Rule

CONFIG, WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
VERSION = "0.32.0"

# The class of PixArt-alpha before it had one of its own.
FORMER_PIXART = "Transformer2DModel"
# Names in autoencoders of before 2023.
FORMER_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def read_network(folder: Path) -> tuple[NetworkConfig, dict[str, Tensor]]:
    """Our configuration and tensors of a network of diffusers, in the dtype of its file.

    Args:
        folder: of one network, e.g. `transformer` or `vae` of a pipeline.

    Raises:
        UsageError: no such folder, a class or an option that is not known, or names and shapes of another network.
        OnePaperError: a file is damaged.
    """
    values = read_json(folder / CONFIG, "configuration of diffusers")
    name = values.get("_class_name") if isinstance(values, dict) else None
    if name == FORMER_PIXART and values.get("norm_type") == "ada_norm_single":
        name = "PixArtTransformer2DModel"
    if name not in CLASSES:
        raise UsageError(f"{folder / CONFIG}: {unknown('class of diffusers', str(name), CLASSES)}")
    check_network_size(folder / CONFIG, values)
    description = CLASSES[name]
    try:
        config = description.read(values)
    except (KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise UsageError(f"{folder / CONFIG}: {error!r} in the options of {name}; fetch the file again") from None
    except UsageError as error:
        raise UsageError(f"{folder / CONFIG}: {error}") from None
    try:
        shapes = {name: tensor.shape for name, tensor in model_tensors(empty_network(config)).items()}
    except RuntimeError as error:  # tensors of more than 2^63 bytes
        raise UsageError(f"{folder / CONFIG} describes no network ({error}); fetch the file again") from None
    tensors = {
        name: value.reshape(shapes[name]) for name, value in _read(folder, list(description.rules(config))).items()
    }
    if isinstance(config, AutoencoderConfig):
        tensors["scale"] = torch.tensor(float(values.get("scaling_factor") or 1.0))
        tensors["shift"] = torch.tensor(float(values.get("shift_factor") or 0.0))
    return config, tensors


def write_network(folder: Path, model: nn.Module, config: NetworkConfig) -> Path:
    """Write a network of ours as a folder that diffusers opens.

    Args:
        folder: made if needed.
        model: a denoiser or an autoencoder of kind kl.
        config: of the model.

    Raises:
        UsageError: diffusers has no class of this architecture.
        OnePaperError: the folder cannot be written.
    """
    name = class_of(config)
    description = CLASSES[name]
    values = {"_class_name": name, "_diffusers_version": VERSION} | description.write(config)
    ours = model_tensors(model)
    if isinstance(config, AutoencoderConfig):
        values |= {"scaling_factor": float(ours["scale"]), "shift_factor": float(ours["shift"])}
    theirs: dict[str, Tensor] = {}
    for rule in description.rules(config):
        theirs |= _theirs(ours[rule.ours], rule)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The configuration is written last: without it the folder is no network.
        (folder / CONFIG).unlink(missing_ok=True)
        write_safetensors(folder / WEIGHTS, theirs)
        (folder / CONFIG).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OnePaperError(f"cannot write {folder} ({error}); choose another folder") from error
    return folder


def empty_network(config: NetworkConfig) -> nn.Module:
    """The network of a configuration, without memory."""
    with torch.device("meta"):
        return build_denoiser(config) if isinstance(config, DenoiserConfig) else build_autoencoder(config)


def _read(folder: Path, rules: list[Rule]) -> dict[str, Tensor]:
    wanted = {name: shape for rule in rules for name, shape in zip(rule.theirs, rule.shapes, strict=True)}
    opened: dict[Path, Any] = {}
    places: dict[str, tuple[Path, str]] = {}
    try:
        for path in _files(folder):
            opened[path] = safe_open(path, framework="pt")
            places |= {_renamed(name): (path, name) for name in opened[path].keys()}  # noqa: SIM118
        found = {name: tuple(opened[path].get_slice(own).get_shape()) for name, (path, own) in places.items()}
        _compare(folder, wanted, found)

        def whole(name: str) -> Tensor:
            path, own = places[name]
            return opened[path].get_tensor(own)

        return {rule.ours: _ours([whole(name) for name in rule.theirs], rule) for rule in rules}
    except (SafetensorError, OSError) as error:
        raise OnePaperError(f"{folder} has damaged weights ({error}); fetch them again") from error


def _files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        raise UsageError(f"{folder} has neither {WEIGHTS} nor {INDEX}; give the folder of one network")
    index = read_json(folder / INDEX, "index of weights")
    names = set(index["weight_map"].values()) if isinstance(index, dict) and "weight_map" in index else set()
    if not names or any(not isinstance(name, str) or Path(name).name != name for name in names):
        raise UsageError(f"{folder / INDEX} names no files beside it; fetch it again")
    missing = sorted(name for name in names if not (folder / name).is_file())
    if missing:
        raise UsageError(f"{folder / missing[0]} is missing; fetch it again")
    return [folder / name for name in sorted(names)]


def _renamed(name: str) -> str:
    for former, now in FORMER_NAMES.items():
        name = name.replace(former, now)
    return name


def _compare(folder: Path, wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> None:
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            shapes = [str(list(shapes[name])) if name in shapes else "absent" for shapes in (found, wanted)]
            raise UsageError(
                f"{folder}: {shortened(name)} is {shapes[0]}, expected {shapes[1]} by its {CONFIG}; the weights are "
                "of another network"
            )


def _ours(parts: list[Tensor], rule: Rule) -> Tensor:
    value = parts[0] if len(parts) == 1 else torch.cat(parts)
    return value if rule.order is None else value[rule.order]


def _theirs(value: Tensor, rule: Rule) -> dict[str, Tensor]:
    if rule.order is not None:
        value = value[rule.order.argsort()]
    parts = value.split([shape[0] for shape in rule.shapes]) if len(rule.shapes) > 1 else (value,)
    return {name: part.reshape(shape) for name, part, shape in zip(rule.theirs, parts, rule.shapes, strict=True)}
