"""PyTorch tensors as files: safetensors, and torch's distributed format for sharded states.

Reading fills existing tensors in place, so that tied parameters stay tied and sharded ones stay sharded. The
distributed format contains a pickle; it is read only from the folder of a run, after its manifest is verified.
"""

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.modules.module import register_module_parameter_registration_hook

from onepaper.checkpoints import (
    CONFIG_NAME,
    Leaf,
    Tree,
    check_finite,
    check_tree,
    read_pretrained,
    write_pretrained,
)
from onepaper.errors import OnePaperError
from onepaper.foreign.network_size import weight_shapes

ConfigT = TypeVar("ConfigT")
ModelT = TypeVar("ModelT", bound=nn.Module)

STATE_NAME = "state.safetensors"
SHARDS_FOLDER = "shards"


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and persistent buffers by name; a tied tensor is listed once, under its first name."""
    stored = model.state_dict(keep_vars=True)
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {name: tensor.detach() for name, tensor in named.items() if name in stored}


def tree_of(tensors: Mapping[str, Tensor]) -> dict[str, Leaf]:
    """Shapes and dtypes; of a sharded tensor the global shape."""
    return {
        name: Leaf(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")) for name, tensor in tensors.items()
    }


def write_safetensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors of any layout; tensors that share memory are written separately.

    Raises:
        OSError: the disk is full or fails.
    """
    whole: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        value = tensor.detach().to("cpu").contiguous()
        if value.untyped_storage().data_ptr() in seen:
            value = value.clone()
        seen.add(value.untyped_storage().data_ptr())
        whole[name] = value
    try:
        save_file(whole, path)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    path.chmod(0o644)  # safetensors makes private files


def read_safetensors(path: Path, into: Mapping[str, Tensor]) -> None:
    """Fill `into` from a file with exactly these names, shapes and dtypes.

    Raises:
        OnePaperError: the file is damaged or does not fit; the message names the differences.
    """
    try:
        with safe_open(path, framework="pt") as file:
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise OnePaperError(f"{path} is damaged or no safetensors file ({error})") from error
    check_tree(tree_of(into), tree_of(found), path)
    with torch.no_grad():
        for name, target in into.items():
            value = found.pop(name)
            if isinstance(target, DTensor):
                value = distribute_tensor(value.to(target.device), target.device_mesh, target.placements)
            target.copy_(value)


def write_state(folder: Path, tensors: Mapping[str, Tensor], *, main_process: bool) -> Tree:
    """Write a state into an empty folder: one safetensors file, or shards by every process if tensors are sharded.

    Raises:
        OSError: the disk is full or fails.
    """
    if not any(isinstance(tensor, DTensor) for tensor in tensors.values()):
        if main_process:
            write_safetensors(folder / STATE_NAME, tensors)
        return tree_of(tensors)
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.api import CheckpointException

    try:
        dcp.save(dict(tensors), checkpoint_id=folder / SHARDS_FOLDER)
    except CheckpointException as error:  # it is a BaseException
        raise OSError(next(iter(error.failures.values()))[0].__str__()) from error
    return tree_of(tensors)


def read_state(folder: Path, into: Mapping[str, Tensor], tree: Tree) -> None:
    """Fill `into` from what `write_state` wrote, however either is sharded.

    Raises:
        OnePaperError: the state does not fit; the message names the differences, and nothing is filled.
    """
    check_tree(tree_of(into), tree, folder)
    if (folder / STATE_NAME).exists():
        read_safetensors(folder / STATE_NAME, into)
        return
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.api import CheckpointException

    alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is disabled")  # a single process may read shards
            dcp.load(dict(into), checkpoint_id=folder / SHARDS_FOLDER, no_dist=alone)
    except CheckpointException as error:
        raise OnePaperError(f"cannot read {folder / SHARDS_FOLDER}: {error}") from error


def save_pretrained(folder: str | Path, model: nn.Module | Mapping[str, Tensor], config: Any) -> Path:
    """Write a model (or its named tensors) and its configuration: `model.safetensors`, `config.json`.

    Raises:
        OnePaperError: the disk is full or the folder cannot be written.
    """
    tensors = model_tensors(model) if isinstance(model, nn.Module) else model
    return write_pretrained(folder, config, lambda path: write_safetensors(path, tensors))


def load_pretrained(
    folder: str | Path, config_type: type[ConfigT], build: Callable[[ConfigT], ModelT]
) -> tuple[ModelT, ConfigT]:
    """The model that `save_pretrained` wrote, on the CPU, and its configuration.

    Args:
        folder: of the model.
        config_type: the dataclass it was made from.
        build: makes a model from the configuration; its weights are then replaced.

    Raises:
        OnePaperError: a file is missing or damaged, or names, shapes or dtypes differ from the model's.
        UsageError: a parameter is not finite.
    """
    config, weights = read_pretrained(folder, config_type)
    with torch.random.fork_rng(devices=[]), no_larger_than(weights):
        model = build(config)
    read_safetensors(weights, model_tensors(model))
    check_finite(weights, finite_parameters(model))
    return model, config


@contextlib.contextmanager
def no_larger_than(weights: Path) -> Iterator[None]:
    """Networks built in the block have at most twice the parameters of a file of weights.

    The network of a wrong configuration may be larger than the memory, and not fit anyway.

    Raises:
        OnePaperError: a network that is larger, or has a tensor that is too large for this machine or for any.
        UsageError: the weights are damaged.
    """
    most, found = 2 * sum(map(math.prod, weight_shapes(weights).values())), 0

    def count(_: nn.Module, __: str, parameter: nn.Parameter | None) -> None:
        nonlocal found
        found += parameter.numel() if parameter is not None else 0  # a tied one is counted twice: hence the factor
        if found > most:
            raise OnePaperError(f"{weights} does not fit the model: that of {CONFIG_NAME} beside it is far larger")

    counting = register_module_parameter_registration_hook(count)
    try:
        yield
    except (RuntimeError, TypeError, OverflowError) as error:  # of torch, for sizes beyond 64 bits, and of NumPy
        reason = str(error).splitlines()[0]
        raise OnePaperError(f"{weights} does not fit the model of {CONFIG_NAME} beside it ({reason})") from error
    finally:
        counting.remove()


def finite_parameters(model: nn.Module) -> dict[str, bool]:
    """Whether all of a parameter is finite, by its name. Buffers may hold infinities, such as masks."""
    return {name: bool(parameter.isfinite().all()) for name, parameter in model.named_parameters()}
