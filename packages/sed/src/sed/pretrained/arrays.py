"""Weights of a network as files, in single or half precision."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from onepaper.checkpoints import check_tree, read_pretrained
from onepaper.errors import OnePaperError, UsageError
from onepaper.jax.state_files import flatten, model_arrays, save_pretrained, tree_of
from safetensors import SafetensorError
from safetensors.flax import load_file

ModelT = TypeVar("ModelT", bound=nnx.Module)


def write_weights(folder: Path, model: nnx.Module, config: Any, *, half: bool = False) -> Path:
    """Write `model.safetensors` and `config.json`.

    Args:
        folder: is made if it is missing.
        model: the network.
        config: what it was made from.
        half: in float16, with a relative error of 5e-4, which halves the size.
    """
    arrays = model_arrays(model)
    if half:
        arrays = {name: array.astype(jnp.float16) for name, array in arrays.items()}
    return save_pretrained(folder, arrays, config)


def read_weights(folder: Path, config_type: type[Any], build: Callable[[Any, nnx.Rngs], ModelT]) -> ModelT:
    """The network that `write_weights` wrote, in float32.

    Args:
        folder: with the two files.
        config_type: of the configuration.
        build: makes a network of a configuration; it is not allocated.

    Raises:
        UsageError: weights that are not finite.
        OnePaperError: another network, or a file that is missing or damaged.
    """
    config, file = read_pretrained(folder, config_type)
    try:
        arrays = load_file(file)
    except (SafetensorError, OSError) as error:
        raise OnePaperError(f"{file} is damaged or no safetensors file ({error})") from error
    for name, array in arrays.items():
        if not bool(jnp.isfinite(array).all()):
            raise UsageError(f"{folder}: {name} is not finite; use weights of another training")
        if array.dtype == jnp.float16:
            arrays[name] = array.astype(jnp.float32)
    graph, abstract = nnx.split(nnx.eval_shape(lambda: build(config, nnx.Rngs(0))))
    names = [name.removesuffix("/value") for name in flatten(abstract)]
    leaves, structure = jax.tree.flatten(abstract)
    check_tree(tree_of(dict(zip(names, leaves, strict=True))), tree_of(arrays), file)
    return nnx.merge(graph, jax.tree.unflatten(structure, [arrays[name] for name in names]))
