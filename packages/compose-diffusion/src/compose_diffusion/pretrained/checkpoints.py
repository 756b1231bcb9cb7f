"""Published checkpoints of guided-diffusion and its CLEVR variants, read without running code from the files.

A `.pt` file is read as plain tensors, a `.safetensors` file directly. Names and shapes must be those
of the network and determine most of its configuration. The rest (noise levels, heads, whether the output is an energy)
is known for published files; for other files it is read from a `.json` file beside them:

    {"type": "UNetConfig", "config": {"image_size": 64, "width": 128, "condition": "class", "num_classes": 3, ...}}
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from jaxtyping import Int
from onepaper.checkpoints import CONFIG_NAME, check_finite
from onepaper.config import check_between, from_dict, read_json, unknown
from onepaper.errors import UsageError
from onepaper.foreign.pickles import explain_damage
from onepaper.torch.checkpoint_files import read_torch_file
from onepaper.torch.state_files import finite_parameters, load_pretrained
from safetensors.torch import load_file
from torch import Tensor

from compose_diffusion.config.guided_diffusion import EncoderConfig, UNetConfig
from compose_diffusion.diffusion import NoiseSchedule, make_schedule
from compose_diffusion.models.guided_diffusion import GuidedNetwork, GuidedUNet, build_network
from compose_diffusion.presets import PUBLISHED

CONFIG_TYPES = {"UNetConfig": UNetConfig, "EncoderConfig": EncoderConfig}
# Number of differences in an error message.
SHOWN_DIFFERENCES = 3

Shapes = dict[str, tuple[int, ...]]


class OpenedCheckpoint(NamedTuple):
    """A network ready for a leaf.

    Attributes:
        network: in evaluation mode, on the CPU, in float32; `network.config` is its configuration.
        schedule: the noise levels it was trained on.
        prediction: "eps" for `PredictionLeaf`, "energy" for `EnergyLeaf`, "class" for `ClassifierLeaf`.
        event_shape: channels, height and width of an image.
    """

    network: GuidedNetwork
    schedule: NoiseSchedule
    prediction: Literal["eps", "energy", "class"]
    event_shape: tuple[int, int, int]


def open_checkpoint(path: Path, config: UNetConfig | EncoderConfig | None = None) -> OpenedCheckpoint:
    """A published checkpoint, or one in its layout, or a folder that this package's `save_pretrained` wrote.

    Args:
        path: a `.pt` or `.safetensors` file, or a folder with `model.safetensors` and `config.json`.
        config: configuration of the network; by default read from NAME.json or config.json beside the file, or that of
            the published file with these names and shapes.

    Raises:
        UsageError: no such file, damaged, a pickle with code in it, an unknown layout, or tensors that do not fit.
        OnePaperError: the weights of a folder are missing or damaged.
    """
    if path.is_dir():
        network = load_pretrained(path, type(_read_config(path / CONFIG_NAME)), build_network)[0]
    else:
        tensors = read_tensors(path)
        network = _filled(path, tensors, config or _config_beside(path) or _recognised(path, tensors))
    network = network.requires_grad_(False).eval()
    config = network.config
    if isinstance(config, EncoderConfig):
        prediction = "class"
    else:
        prediction = "eps" if isinstance(network, GuidedUNet) else "energy"
    event_shape = (config.image_channels, config.image_size, config.image_size)
    return OpenedCheckpoint(network, make_schedule(config.schedule), prediction, event_shape)


def _filled(path: Path, tensors: Mapping[str, Tensor], config: UNetConfig | EncoderConfig) -> GuidedNetwork:
    """The network of a configuration with these weights, which are not copied unless their precision changes."""
    _check_shapes(path, expected_shapes(config), _shapes(tensors))
    with torch.device("meta"):
        network = build_network(config)
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=True)
    check_finite(path, finite_parameters(network))
    return network


@functools.cache
def expected_shapes(config: UNetConfig | EncoderConfig) -> Shapes:
    """Name -> shape of every tensor of a configuration's network; nothing is allocated."""
    with torch.device("meta"):
        return _shapes(build_network(config).state_dict())


def respaced(schedule: NoiseSchedule, num_levels: int) -> tuple[NoiseSchedule, Int[Tensor, " num_levels"]]:
    """Fewer levels as by guided-diffusion's `timestep_respacing`, and their time steps.

    Evenly spaced including both ends, unlike `NoiseSchedule.respace`, which omits the lowest level.

    Raises:
        UsageError: fewer than one level, or more than there are.
    """
    check_between("num_levels", num_levels, 1, len(schedule))
    stride = (len(schedule) - 1) / max(num_levels - 1, 1)
    kept = torch.tensor([round(index * stride) for index in range(num_levels)])
    alphas_cumprod = schedule.alphas_cumprod[kept]
    previous = torch.cat([torch.ones_like(alphas_cumprod[:1]), alphas_cumprod[:-1]])
    return NoiseSchedule(1 - alphas_cumprod / previous, alphas_cumprod), kept


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Named tensors of a `.safetensors` file, or of one that `torch.save` wrote.

    An enclosing `state_dict` entry and the prefix `module.` of DDP are removed.

    Raises:
        UsageError: no such file, damaged, or anything other than plain tensors in it.
    """
    if not path.is_file():
        raise UsageError(f"checkpoint {path} does not exist; give a .pt or .safetensors file, or a folder of a model")
    if path.suffix == ".safetensors":
        with explain_damage(path):
            content = load_file(path)
    else:
        content = read_torch_file(path, advice="save its state_dict alone, best as .safetensors, where you trust it")
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise UsageError(f"{path} does not hold named tensors, expected a network's state_dict; save that alone")
    if all(name.startswith("module.") for name in content):
        content = {name.removeprefix("module."): value for name, value in content.items()}
    return content


def _shapes(tensors: Mapping[str, Tensor]) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _recognised(path: Path, tensors: Mapping[str, Tensor]) -> UNetConfig | EncoderConfig:
    """The configuration of the published file with these names and shapes; that of the same name, if several have."""
    shapes = _shapes(tensors)
    for name in sorted(PUBLISHED, key=lambda name: name != path.stem):
        if expected_shapes(PUBLISHED[name]) == shapes:
            return PUBLISHED[name]
    raise UsageError(
        f"{path} has {len(shapes)} tensors (the first is '{next(iter(shapes))}') that are of no published network, "
        f"expected {path.stem}.json beside it with type 'UNetConfig' or 'EncoderConfig' and its config; open diffusers "
        "models as folders"
    )


def _check_shapes(path: Path, expected: Shapes, found: Shapes) -> None:
    """Raise `UsageError` with the first differences."""
    differences = [f"'{name}' is missing" for name in expected if name not in found]
    differences += [f"'{name}' is unexpected" for name in found if name not in expected]
    differences += [
        f"'{name}' has shape {found[name]}, expected {shape}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    if differences:
        more = len(differences) - SHOWN_DIFFERENCES
        listed = "; ".join(differences[:SHOWN_DIFFERENCES]) + (f" and {more} more" if more > 0 else "")
        raise UsageError(f"{path} does not fit its configuration: {listed}; give the one it was trained with")


def _config_beside(path: Path) -> UNetConfig | EncoderConfig | None:
    """The configuration in NAME.json or config.json beside a file."""
    for beside in (path.with_suffix(".json"), path.with_name(CONFIG_NAME)):
        if beside.is_file():
            return _read_config(beside)
    return None


def _read_config(path: Path) -> UNetConfig | EncoderConfig:
    content = read_json(path, "model configuration")
    if not isinstance(content, dict) or not {"type", "config"} <= content.keys():
        raise UsageError(f"{path} lacks 'type' or 'config', expected e.g. a type of 'UNetConfig' and its fields")
    if content["type"] not in CONFIG_TYPES:
        raise UsageError(f"{path}: {unknown('model type', str(content['type']), CONFIG_TYPES)}")
    return from_dict(CONFIG_TYPES[content["type"]], content["config"], str(path))
