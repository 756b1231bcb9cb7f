"""JAX arrays as files: orbax for the states of a run, safetensors for pretrained models."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from safetensors import SafetensorError
from safetensors.flax import load_file, save_file

from onepaper.checkpoints import Leaf, Tree, check_finite, check_tree, read_pretrained, write_pretrained
from onepaper.errors import OnePaperError

ConfigT = TypeVar("ConfigT")
ModelT = TypeVar("ModelT", bound=nnx.Module)

STATE_FOLDER = "arrays"


def flatten(tree: Any) -> dict[str, Any]:
    """The leaves of a tree by name, e.g. `layers/0/kernel`."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def tree_of(arrays: Mapping[str, Any]) -> dict[str, Leaf]:
    """Shapes and dtypes of arrays or of `jax.ShapeDtypeStruct`."""
    return {name: Leaf(tuple(array.shape), str(array.dtype)) for name, array in arrays.items()}


def write_state(folder: Path, arrays: Mapping[str, Any]) -> Tree:
    """Write arrays, sharded or not, into an empty folder; called on every process.

    Raises:
        OSError: the disk is full or fails.
    """
    import orbax.checkpoint.experimental.v1 as ocp

    try:
        ocp.save(str((folder / STATE_FOLDER).absolute()), dict(arrays))
    except ValueError as error:  # orbax reports a full disk as RESOURCE_EXHAUSTED or OUT_OF_RANGE in a ValueError
        raise OSError(str(error).strip().splitlines()[0]) from error
    return tree_of(arrays)


def read_state(folder: Path, abstract: Mapping[str, jax.ShapeDtypeStruct], tree: Tree) -> dict[str, jax.Array]:
    """The arrays that `write_state` wrote, with the shardings of `abstract`.

    Raises:
        OnePaperError: the state does not fit; the message names the differences (orbax alone would cast dtypes).
    """
    import orbax.checkpoint.experimental.v1 as ocp

    check_tree(tree_of(abstract), tree, folder)
    return dict(ocp.load(str((folder / STATE_FOLDER).absolute()), dict(abstract)))


def model_arrays(model: nnx.Module) -> dict[str, Any]:
    """Parameters and other saved variables of a model by name, without the state of its random streams."""
    _, _, stored = nnx.split(model, nnx.RngState, ...)
    return {name.removesuffix("/value"): array for name, array in flatten(stored).items()}


def save_pretrained(folder: str | Path, model: nnx.Module | Mapping[str, Any], config: Any) -> Path:
    """Write a model (or its named arrays) and its configuration: `model.safetensors`, `config.json`.

    Raises:
        OnePaperError: the disk is full or the folder cannot be written.
    """
    arrays = model_arrays(model) if isinstance(model, nnx.Module) else dict(model)

    def write(path: Path) -> None:
        try:
            save_file(arrays, path)
        except SafetensorError as error:
            raise OSError(str(error)) from error
        path.chmod(0o644)  # safetensors makes private files

    return write_pretrained(folder, config, write)


def load_pretrained(
    folder: str | Path, config_type: type[ConfigT], build: Callable[[ConfigT, nnx.Rngs], ModelT], *, seed: int = 0
) -> tuple[ModelT, ConfigT]:
    """The model that `save_pretrained` wrote, and its configuration.

    Args:
        folder: of the model.
        config_type: the dataclass it was made from.
        build: makes a model from the configuration; its weights are then replaced.
        seed: of the model's random streams (dropout), which are not part of the file.

    Raises:
        OnePaperError: a file is missing or damaged, or names, shapes or dtypes differ from the model's.
        UsageError: a parameter is not finite.
    """
    config, weights = read_pretrained(folder, config_type)
    try:
        found = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise OnePaperError(f"{weights} is damaged or no safetensors file ({error})") from error
    # The network of a wrong configuration may not fit in memory.
    abstract = nnx.eval_shape(lambda: build(config, nnx.Rngs(seed)))
    check_tree(tree_of(model_arrays(abstract)), tree_of(found), weights)
    model = build(config, nnx.Rngs(seed))
    _, _, stored = nnx.split(model, nnx.RngState, ...)
    names = [name.removesuffix("/value") for name in flatten(stored)]
    nnx.update(model, jax.tree.unflatten(jax.tree.structure(stored), [found[name] for name in names]))
    parameters = {name.removesuffix("/value"): leaf for name, leaf in flatten(nnx.state(model, nnx.Param)).items()}
    check_finite(weights, {name: bool(jnp.isfinite(leaf).all()) for name, leaf in parameters.items()})
    return model, config
