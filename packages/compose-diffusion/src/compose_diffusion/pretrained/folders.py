"""Models of diffusers from disk: safetensors and JSON only, no downloads, no code from the folder."""

import contextlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import diffusers
from diffusers import DiffusionPipeline
from diffusers.utils import is_accelerate_available, logging
from onepaper.checkpoints import check_finite
from onepaper.config import shortened
from onepaper.data import sums_problems
from onepaper.errors import UsageError
from onepaper.torch.network_size import check_network_size
from safetensors import SafetensorError, safe_open
from torch import nn

# Libraries whose classes a pipeline may use, in addition to the pipeline modules of diffusers.
LIBRARIES = ("diffusers", "transformers")
# Components that a saved pipeline may lack.
TEXT_PARTS = ("text_encoder", "tokenizer")
READING: dict[str, Any] = {
    "use_safetensors": True,
    "local_files_only": True,
    # The default of diffusers; set explicitly to avoid its message about accelerate.
    "low_cpu_mem_usage": is_accelerate_available(),
}
MOST_LEVELS = 1_000_000
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
# The variant in a file's name, e.g. "fp16" in diffusion_pytorch_model.fp16.safetensors.
_VARIANT = re.compile(r"\.(\w+)(-\d+-of-\d+)?\.safetensors$")


def open_pipeline(folder: Path) -> DiffusionPipeline:
    """The pipeline that `save_pretrained` wrote, on the CPU, without text encoders if they were not saved.

    Raises:
        UsageError: no such folder or no pipeline in it, Python code or pickled weights in it, classes of other
            libraries, or weights that cannot be read.
    """
    index = _read_json(folder, "model_index.json", "a pipeline that `save_pretrained` wrote")
    _check_safe(folder)
    named = {name: entry for name, entry in index.items() if isinstance(entry, list) and not name.startswith("_")}
    parts = {name: entry[0] for name, entry in named.items() if entry and entry[0]}
    for name, library in parts.items():
        if library not in LIBRARIES and not hasattr(diffusers.pipelines, str(library)):
            raise UsageError(
                f"{folder / 'model_index.json'} takes {shortened(name)} from {shortened(library)}, expected "
                f"{' or '.join(LIBRARIES)}; load such a pipeline yourself and pass it"
            )
    if not isinstance(index.get("_class_name"), str) or not hasattr(diffusers, index["_class_name"]):
        raise UsageError(
            f"{folder / 'model_index.json'} names the pipeline {shortened(index.get('_class_name'))}, expected a class "
            "of diffusers; load such a pipeline yourself and pass it"
        )
    kind = getattr(diffusers, index["_class_name"])
    absent = [name for name in inspect.signature(kind).parameters if name.startswith(TEXT_PARTS) and name not in parts]
    try:
        with _no_bar():
            return DiffusionPipeline.from_pretrained(
                folder, variant=_variant(folder), **READING, **dict.fromkeys(absent)
            )
    except Exception as error:  # settings of any kind reach the constructors of diffusers
        raise UsageError(f"{folder} cannot be read as a pipeline: {_first_line(error)}") from error


def open_network(folder: Path) -> nn.Module:
    """The network that `save_pretrained` wrote, on the CPU and in evaluation mode.

    Raises:
        UsageError: as of `open_pipeline`.
    """
    config = _read_json(folder, "config.json", "a network that `save_pretrained` wrote")
    _check_safe(folder)
    kind: Any = getattr(diffusers, str(config.get("_class_name")), None)
    if not (isinstance(kind, type) and issubclass(kind, diffusers.ModelMixin)):
        raise UsageError(
            f"{folder / 'config.json'} names the class {shortened(config.get('_class_name'))}, expected a network of "
            "diffusers"
        )
    try:
        loader: Any = kind
        network = loader.from_pretrained(folder, variant=_variant(folder), **READING)
    except Exception as error:  # as above
        raise UsageError(f"{folder} cannot be read as a network: {_first_line(error)}") from error
    return cast(nn.Module, network).eval()


def _variant(folder: Path) -> str | None:
    """The variant of components that were saved in one only, such as half precision; None where there is none.

    Raises:
        UsageError: components in different variants.
    """
    by_component: dict[Path, set[str | None]] = {}
    for path in folder.rglob("*.safetensors"):
        found = _VARIANT.search(path.name)
        by_component.setdefault(path.parent, set()).add(found.group(1) if found else None)
    variants = {name for names in by_component.values() if None not in names for name in names if name}
    if len(variants) > 1:
        raise UsageError(
            f"{folder} holds weights in the variants {', '.join(sorted(variants))}, expected one; load the pipeline "
            "with variant= yourself and pass it"
        )
    return variants.pop() if variants else None


@contextlib.contextmanager
def _no_bar() -> Iterator[None]:
    """Disable the progress bar of diffusers."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _read_json(folder: Path, name: str, expected: str) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        raise UsageError(f"{folder} holds no {name}, expected the folder of {expected}")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise UsageError(f"{path} is damaged ({_first_line(error)})") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path} holds {type(values).__name__}, expected the settings of {expected}")
    return cast(dict[str, Any], values)


def _check_safe(folder: Path) -> None:
    """Raise `UsageError` for files that differ from a `SHA256SUMS`, for Python code, components with pickled weights
    only, weights that are not finite, settings that are no object (diffusers takes a text for the name of a model and
    asks the network for it, whatever `local_files_only` says), and levels of noise or sizes of networks that would take
    gigabytes.
    """
    for problem in sums_problems(folder):
        raise UsageError(problem)
    for name in ("config.json", "scheduler_config.json"):
        for path in sorted(folder.rglob(name)):
            settings = _read_json(path.parent, name, "a component that `save_pretrained` wrote")
            levels = settings.get("num_train_timesteps")
            if isinstance(levels, int | float) and levels > MOST_LEVELS:
                raise UsageError(
                    f"{path}: num_train_timesteps is {shortened(levels)}, expected at most {MOST_LEVELS:,}"
                )
            _check_size(path, settings)
    code = sorted(path.relative_to(folder) for path in folder.rglob("*.py"))
    if code:
        raise UsageError(
            f"{folder} holds Python code ({code[0]}), which is never run from there; load such a pipeline yourself and "
            "pass it"
        )
    for path in sorted(folder.rglob("*")):
        if path.suffix in PICKLES and not any(path.parent.glob("*.safetensors")):
            raise UsageError(
                f"{path.relative_to(folder)} in {folder} is pickled, expected safetensors; convert it by "
                "save_pretrained(..., safe_serialization=True) where you trust it"
            )
    for path in sorted(folder.rglob("*.safetensors")):
        check_finite(path, _finite_tensors(path))


def _check_size(path: Path, settings: dict[str, Any]) -> None:
    """Raise `UsageError` for settings of a network that is far larger than the weights beside them."""
    kind: Any = getattr(diffusers, str(settings.get("_class_name")), None)
    network = isinstance(kind, type) and issubclass(kind, diffusers.ModelMixin)
    check_network_size(path, settings, (lambda: cast(Any, kind).from_config(settings)) if network else None)


def _finite_tensors(path: Path) -> dict[str, bool]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = ((name, file.get_tensor(name)) for name in file.keys())  # noqa: SIM118
            return {name: not tensor.is_floating_point() or bool(tensor.isfinite().all()) for name, tensor in tensors}
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{path} is damaged or no safetensors file ({error})") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:400]
