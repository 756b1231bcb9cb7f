"""A trained network as a folder: `config.json`, `model.safetensors` and, with classes, `classes.json`, their names."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from onepaper.checkpoints import check_finite, check_tree, read_pretrained
from onepaper.config import read_json
from onepaper.errors import OnePaperError, UsageError
from onepaper.runs import write_atomic
from onepaper.torch.state_files import finite_parameters, model_tensors, no_larger_than, save_pretrained, tree_of
from onepaper.weights import find_weights
from safetensors import SafetensorError
from safetensors.torch import load_file

from dct_transformer.config import ModelConfig
from dct_transformer.models.dct_transformer import DCTransformer

DEFAULT_WEIGHTS = "stamps-16"
CLASSES_NAME = "classes.json"


def save_network(folder: Path, model: DCTransformer, *, half: bool = False, classes: Sequence[str] = ()) -> Path:
    """Write a network.

    Args:
        folder: made if it does not exist.
        model: to save.
        half: in half precision, which takes half of the space.
        classes: names of the classes of a class-conditional network, if they have any.

    Raises:
        OnePaperError: the folder cannot be written.
    """
    tensors = {name: value.half() if half else value for name, value in model_tensors(model).items()}
    saved = save_pretrained(folder, tensors, model.config)
    if model.config.classes and classes:
        write_atomic(saved / CLASSES_NAME, json.dumps(list(classes), indent=1, ensure_ascii=False) + "\n")
    return saved


def class_names(name: str | Path = DEFAULT_WEIGHTS) -> tuple[str, ...]:
    """The names of the classes of a network, in the order of their numbers; empty where none were saved.

    Raises:
        UsageError: no such network, or the file of names does not hold one for each class.
    """
    folder = find_weights(name, "dct_transformer")
    path = folder / CLASSES_NAME
    if not path.is_file():
        return ()
    config, _ = read_pretrained(folder, ModelConfig)
    found = read_json(path, "names of classes")
    if not isinstance(found, list) or not all(isinstance(own, str) for own in found) or len(found) != config.classes:
        raise UsageError(f"{path} is no list of {config.classes} names, one for each class; train or fetch it again")
    return tuple(found)


def open_network(name: str | Path = DEFAULT_WEIGHTS) -> DCTransformer:
    """A network that ships with the package, by its name, or that of a folder or training run.

    It is in evaluation mode, in single precision and on the CPU.

    Raises:
        UsageError: no such network, or weights that are not finite.
        OnePaperError: the weights are missing, damaged, or of another architecture.
    """
    config, weights = read_pretrained(find_weights(name, "dct_transformer"), ModelConfig)
    try:
        stored = {name: value.float() for name, value in load_file(weights).items()}
    except (SafetensorError, OSError) as error:
        raise OnePaperError(f"{weights} is damaged or no safetensors file ({error})") from error
    with torch.random.fork_rng(devices=[]), no_larger_than(weights):
        model = DCTransformer(config)
    check_tree(tree_of(model_tensors(model)), tree_of(stored), weights)
    model.load_state_dict(stored)
    check_finite(weights, finite_parameters(model))
    return model.eval()
