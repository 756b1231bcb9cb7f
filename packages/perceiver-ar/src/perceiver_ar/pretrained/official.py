"""Weights of the official code (Haiku), read without running any code of theirs.

Its checkpoints are pickles by dill, which could run anything when loaded. Here they are read by an unpickler that makes
arrays and plain containers and refuses every other name; what belongs to the optimiser is skipped. An `.npz` file with
the same arrays, named MODULE/PARAMETER, is read as it is.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Shaped
from onepaper.errors import OnePaperError, UsageError
from onepaper.jax.state_files import flatten

from perceiver_ar.config import ModelConfig
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.models.positions import fourier_features, sinusoids

Parameters = Mapping[str, Mapping[str, Shaped[np.ndarray, "..."]]]


# How far a fixed table may be from ours: at place 131,072 the angles of single precision are off by about 0.01.
TABLE_TOLERANCE = 0.03


ROOT = "perceiver_ar"


# Our layers of a block and theirs.
LINEAR = {
    "query": "attention/linear",
    "key": "attention/linear_1",
    "value": "attention/linear_2",
    "out": "attention/linear_3",
    "hidden": "dense/linear",
    "down": "dense/linear_1",
}


CROSS_NORMS = {"norm_query": "layer_norm", "norm_inputs": "layer_norm_1", "norm_hidden": "layer_norm_2"}


SELF_NORMS = {"norm_query": "layer_norm", "norm_hidden": "layer_norm_1"}


class Ignored:
    """Stands for an object that nobody needs, such as the state of an optimiser."""

    def __new__(cls, *_: object, **__: object) -> "Ignored":
        """Take whatever the object was made from."""
        return super().__new__(cls)

    def __setstate__(self, _: object) -> None:
        """Take whatever the object held."""


_rebuild: Any = np.zeros(1).__reduce__()[0]  # numpy's own, which has moved between its versions


def _array(function: Any, arguments: Any, state: Any, *_: object) -> np.ndarray:
    """What JAX and dill wrap around an array: numpy's parts of it."""
    if function is not _rebuild:
        raise pickle.UnpicklingError("an array that is made by something other than numpy")
    array = function(*arguments)
    array.__setstate__(state)
    return array


def _bytes(text: str, _: str = "latin1") -> bytes:
    """What the oldest protocols write bytes as."""
    return text.encode("latin1")


# Everything that a checkpoint may name.
ADMITTED: Mapping[tuple[str, str], Any] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _rebuild for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): np.float64(0).__reduce__()[0] for core in ("core", "_core")},
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("ml_dtypes", "bfloat16"): jnp.dtype(jnp.bfloat16).type,
    ("jax._src.array", "_reconstruct_array"): _array,
    ("jax._src.device_array", "reconstruct_device_array"): _array,
    ("dill._dill", "_create_array"): _array,
    ("dill._dill", "_create_namedtuple"): lambda *_: Ignored,
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _bytes,
}


SKIPPED = ("optax", "haiku", "jaxline", "ml_collections")


class _Refused(Exception):
    """The name of something that a checkpoint has no need of."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in ADMITTED:
            return ADMITTED[module, name]
        if module.split(".")[0] in SKIPPED:
            return Ignored
        raise _Refused(f"{module}.{name}")


def read_official(path: Path) -> dict[str, dict[str, Shaped[np.ndarray, "..."]]]:
    """Arrays of an official checkpoint by module and parameter.

    Args:
        path: `checkpoint.dill` as the official code saves it, or an `.npz` with arrays named MODULE/PARAMETER.

    Raises:
        UsageError: no such file, a pickle that names anything other than arrays and containers, or no parameters in it.
        OnePaperError: the file is damaged.
    """
    if not path.is_file():
        raise UsageError(f"checkpoint {path} does not exist; give a .dill or .npz file")
    try:
        content: Any = _read_npz(path) if path.suffix == ".npz" else _read_pickle(path)
    except _Refused as error:
        raise UsageError(
            f"{path} names '{error}', expected nothing but arrays and plain containers; on a machine where you trust "
            "it, save its parameters by numpy.savez as MODULE/PARAMETER"
        ) from None
    except Exception as error:  # bytes that are no pickle make its reader fail in any way
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise OnePaperError(f"{path} is damaged or no checkpoint ({reason}); fetch it again") from error
    params = content.get("params", content) if isinstance(content, dict) else None
    if not isinstance(params, dict) or not all(isinstance(module, dict) for module in params.values()) or not params:
        raise UsageError(f"{path} has no parameters by module, expected 'params' of the official code's checkpoint")
    return params


def _read_pickle(path: Path) -> Any:
    with path.open("rb") as file:
        return _Unpickler(file).load()


def _read_npz(path: Path) -> dict[str, dict[str, np.ndarray]]:
    if not zipfile.is_zipfile(path):
        raise OnePaperError("no archive of arrays")
    found: dict[str, dict[str, np.ndarray]] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for name in arrays.files:
            module, _, parameter = name.rpartition("/")
            found.setdefault(module, {})[parameter] = arrays[name]
    return found


class Source(NamedTuple):
    """Where an array stands in the official layout."""

    module: str
    parameter: str


def official_layout(config: ModelConfig) -> dict[str, list[Source]]:
    """Our names of arrays, and where each comes from; arrays of the stack from one place in each layer."""
    found = {
        "embed/embedding": [Source(f"{ROOT}/~/embed", "embeddings")],
        **dict(_linear("latent_in", [f"{ROOT}/~/linear"])),
        **dict(_block("cross", [f"{ROOT}/~/cross_attention"], CROSS_NORMS)),
        **dict(_norm("norm", [f"{ROOT}/layer_norm"])),
        **dict(_linear("head", [f"{ROOT}/~/logits"])),
    }
    if config.adds and config.position_tables == "learned":
        for axis in range(len(config.axis_sizes)):
            found[f"tables/{axis}/embedding"] = [Source(_table(axis), "embeddings")]
    layers = [f"{ROOT}/~/self_attention{f'_{layer}' if layer else ''}" for layer in range(config.depth)]
    return {**found, **dict(_block("blocks", layers, SELF_NORMS))} if layers else found


def _table(axis: int) -> str:
    return f"{ROOT}/~/embed_{axis + 1}"


def _linear(ours: str, theirs: list[str]) -> Iterator[tuple[str, list[Source]]]:
    yield f"{ours}/kernel", [Source(module, "w") for module in theirs]
    yield f"{ours}/bias", [Source(module, "b") for module in theirs]


def _norm(ours: str, theirs: list[str]) -> Iterator[tuple[str, list[Source]]]:
    yield f"{ours}/scale", [Source(module, "scale") for module in theirs]
    yield f"{ours}/bias", [Source(module, "offset") for module in theirs]


def _block(ours: str, layers: list[str], norms: Mapping[str, str]) -> Iterator[tuple[str, list[Source]]]:
    for mine, name in LINEAR.items():
        yield from _linear(f"{ours}/{mine}", [f"{layer}/{name}" for layer in layers])
    for mine, name in norms.items():
        yield from _norm(f"{ours}/{mine}", [f"{layer}/{name}" for layer in layers])


def convert_official(params: Parameters, config: ModelConfig) -> PerceiverAR:
    """The model of a configuration with official weights.

    Heads, latents, the part of the channels that turn and the numbering of positions leave no trace in the weights:
    they must be those of the training. Fixed position tables, which the official code keeps as parameters, are compared
    with ours and then computed.

    Args:
        params: arrays by module and parameter, as `read_official` returns them.
        config: the architecture.

    Raises:
        UsageError: modules are missing or left over, or shapes or fixed tables are not those of the configuration.
    """
    if config.adaptive_cutoffs or config.positions == "both":
        raise UsageError(
            "the official code has no adaptive embeddings and no positions of both kinds; configure neither"
        )
    abstract = nnx.eval_shape(lambda: PerceiverAR(config, nnx.Rngs(0)))
    graph, stored = nnx.split(abstract)
    shapes = {name.removesuffix("/value"): leaf.shape for name, leaf in flatten(stored).items()}
    sources = official_layout(config)
    used = {source for places in sources.values() for source in places}
    fixed = _fixed_tables(config)
    used |= {Source(_table(axis), "embeddings") for axis in fixed}
    there = {Source(module, name) for module, arrays in params.items() for name in arrays}
    told = [f"'{'/'.join(source)}' is missing" for source in sorted(used - there)]
    told += [f"'{'/'.join(source)}' is left over" for source in sorted(there - used)]
    arrays: dict[str, np.ndarray] = {}
    for name, places in sources.items() if not told else ():
        wanted = shapes[name][1:] if name.startswith("blocks/") else shapes[name]
        parts = [np.asarray(params[place.module][place.parameter], np.float32) for place in places]
        told += [
            f"'{'/'.join(place)}' has shape {part.shape}, expected {wanted}"
            for place, part in zip(places, parts, strict=True)
            if part.shape != wanted
        ]
        if not told:
            arrays[name] = np.stack(parts) if name.startswith("blocks/") else parts[0]
    told += [] if told else _odd_tables(params, fixed)
    if told:
        more = f" and {len(told) - 3} more" if len(told) > 3 else ""
        raise UsageError(f"the weights do not fit: {'; '.join(told[:3])}{more}; choose the model they were trained as")
    leaves = [jnp.asarray(arrays[name]) for name in shapes]
    return nnx.merge(graph, jax.tree.unflatten(jax.tree.structure(stored), leaves))


def _fixed_tables(config: ModelConfig) -> dict[int, np.ndarray]:
    """Position tables that are no parameters of ours, by axis."""
    if not config.adds or config.position_tables == "learned":
        return {}
    tables = {}
    for axis, size in enumerate(config.axis_sizes):
        places = jnp.arange(size)
        if config.position_tables == "fourier":
            tables[axis] = np.asarray(fourier_features(places, size, config.input_dim))
        else:
            tables[axis] = np.asarray(sinusoids(places, config.input_dim))
    return tables


def _odd_tables(params: Parameters, fixed: Mapping[int, np.ndarray]) -> list[str]:
    told = []
    for axis, ours in fixed.items():
        theirs = np.asarray(params[_table(axis)]["embeddings"], np.float32)
        if theirs.shape != ours.shape:
            told.append(f"'{_table(axis)}/embeddings' has shape {theirs.shape}, expected {ours.shape}")
        elif np.abs(theirs - ours).max() > TABLE_TOLERANCE:
            told.append(f"'{_table(axis)}/embeddings' is another table than position_tables says")
    return told
