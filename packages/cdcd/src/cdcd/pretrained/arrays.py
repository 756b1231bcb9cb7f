"""Weights of any network as named arrays and back, and as files in single or half precision."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from onepaper.checkpoints import check_tree, read_pretrained
from onepaper.errors import OnePaperError, UsageError
from onepaper.jax.state_files import flatten, model_arrays, save_pretrained, tree_of
from safetensors import SafetensorError
from safetensors.flax import load_file

ModelT = TypeVar("ModelT", bound=nnx.Module)


def arrays_of(model: nnx.Module) -> dict[str, np.ndarray]:
    """All saved variables by name."""
    return {name: np.asarray(array) for name, array in model_arrays(model).items()}


def model_of(build: Callable[[], ModelT], arrays: Mapping[str, Any], where: object) -> ModelT:
    """The network with these variables.

    Args:
        build: makes a network of the same architecture; it is not allocated.
        arrays: as of `arrays_of`.
        where: what an error names.

    Raises:
        OnePaperError: names, shapes or dtypes differ from the network's.
    """
    graph, abstract = nnx.split(nnx.eval_shape(build))
    names = [name.removesuffix("/value") for name in flatten(abstract)]
    check_tree(tree_of(dict(zip(names, jax.tree.leaves(abstract), strict=True))), tree_of(arrays), where)
    return nnx.merge(graph, jax.tree.unflatten(jax.tree.structure(abstract), [jnp.asarray(arrays[n]) for n in names]))


def write_weights(folder: Path, model: nnx.Module, config: Any, *, half: bool = False) -> Path:
    """Write `model.safetensors` and `config.json`.

    Args:
        folder: is made if it is missing.
        model: the network.
        config: what it was made from.
        half: in float16, with a relative error of 5e-4, which halves the size; the time warping, whose bins are sums of
            many numbers, stays in float32.
    """
    arrays = model_arrays(model)
    if half:
        arrays = {
            name: array if name.startswith("warp/") else array.astype(jnp.float16) for name, array in arrays.items()
        }
    return save_pretrained(folder, arrays, config)


def read_weights(folder: Path, config_type: type[Any], build: Callable[[Any, nnx.Rngs], ModelT]) -> ModelT:
    """The network that `write_weights` wrote, in float32.

    Raises:
        UsageError: another network, or weights that are not finite.
        OnePaperError: a file that is missing or damaged.
    """
    config, file = read_pretrained(folder, config_type)
    try:
        arrays = load_file(file)
    except (SafetensorError, OSError) as error:
        raise OnePaperError(f"{file} is damaged or no safetensors file ({error})") from error
    arrays = {
        name: array.astype(jnp.float32) if array.dtype == jnp.float16 else array for name, array in arrays.items()
    }
    for name, array in arrays.items():
        if not bool(jnp.isfinite(array).all()):
            raise UsageError(f"{folder}: {name} is not finite; use weights of another training")
    return model_of(lambda: build(config, nnx.Rngs(0)), arrays, file)
