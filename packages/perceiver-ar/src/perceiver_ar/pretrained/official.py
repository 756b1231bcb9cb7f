"""Weights of the official code (Haiku), read safely.

Official checkpoints are dill pickles, which can execute arbitrary code when loaded. `onepaper.foreign.pickles` reads
the arrays and plain containers in them, refuses all other names, and skips optimizer state. An `.npz` file with the
same arrays, named MODULE/PARAMETER, is read too.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Shaped
from onepaper.errors import UsageError
from onepaper.foreign.arrays import read_npz
from onepaper.foreign.pickles import NUMPY, SKIPPED, WRAPPED, read_pickle
from onepaper.jax.state_files import flatten

from perceiver_ar.config import ModelConfig
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.models.positions import fourier_features, sinusoids

Parameters = Mapping[str, Mapping[str, Shaped[np.ndarray, "..."]]]


# Tolerance for fixed tables: at position 131,072 angles in single precision have errors of about 0.01.
TABLE_TOLERANCE = 0.03


ROOT = "perceiver_ar"


# Layers of a block here and in the official code.
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


# Besides numpy's own: arrays as JAX and dill wrap them. Optimizer state is skipped.
CONSTRUCTORS = {**NUMPY, **WRAPPED, "dill._dill._create_namedtuple": lambda *_: SKIPPED}
SKIPPED_PACKAGES = ("optax", "haiku", "jaxline", "ml_collections")


def read_official(path: Path) -> dict[str, dict[str, Shaped[np.ndarray, "..."]]]:
    """Arrays of an official checkpoint by module and parameter.

    Args:
        path: `checkpoint.dill` of the official code, or an `.npz` file with arrays named MODULE/PARAMETER.

    Raises:
        UsageError: no such file, damaged, a pickle with other objects than arrays and containers, or no parameters.
    """
    if not path.is_file():
        raise UsageError(f"checkpoint {path} does not exist; give a .dill or .npz file")
    content: Any = {}
    if path.suffix == ".npz":
        for name, array in read_npz(path).items():
            module, _, parameter = name.rpartition("/")
            content.setdefault(module, {})[parameter] = array
    else:
        advice = "if you trust it, load it with dill and save its parameters with numpy.savez as MODULE/PARAMETER"
        content = read_pickle(path, CONSTRUCTORS, skipped=SKIPPED_PACKAGES, advice=advice)
    params = content.get("params", content) if isinstance(content, dict) else None
    if not isinstance(params, dict) or not all(isinstance(module, dict) for module in params.values()) or not params:
        raise UsageError(f"{path} has no parameters by module, expected 'params' of the official code's checkpoint")
    for module, arrays in params.items():
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray):
                raise UsageError(f"{path}: '{module}/{name}' is {type(array).__name__}, expected an array")
    return params


class Source(NamedTuple):
    """Name of an array in the official layout."""

    module: str
    parameter: str


def official_layout(config: ModelConfig) -> dict[str, list[Source]]:
    """Names of arrays here -> official arrays; those of the stack have one source for each layer."""
    found = {
        "embed/embedding": [Source(f"{ROOT}/~/embed", "embeddings")],
        **dict(_linear("latent_in", [f"{ROOT}/~/linear"])),
        **dict(_block("cross", [f"{ROOT}/~/cross_attention"], CROSS_NORMS)),
        **dict(_norm("norm", [f"{ROOT}/layer_norm"])),
        **dict(_linear("head", [f"{ROOT}/~/logits"])),
    }
    if config.uses_absolute_positions and config.position_tables == "learned":
        for axis in range(len(config.axis_sizes)):
            found[f"tables/{axis}/embedding"] = [Source(_table(axis), "embeddings")]
    layers = [f"{ROOT}/~/self_attention{f'_{layer}' if layer else ''}" for layer in range(config.depth)]
    return {**found, **dict(_block("blocks", layers, SELF_NORMS))} if layers else found


def _table(axis: int) -> str:
    return f"{ROOT}/~/embed_{axis + 1}"


def _linear(prefix: str, official: list[str]) -> Iterator[tuple[str, list[Source]]]:
    yield f"{prefix}/kernel", [Source(module, "w") for module in official]
    yield f"{prefix}/bias", [Source(module, "b") for module in official]


def _norm(prefix: str, official: list[str]) -> Iterator[tuple[str, list[Source]]]:
    yield f"{prefix}/scale", [Source(module, "scale") for module in official]
    yield f"{prefix}/bias", [Source(module, "offset") for module in official]


def _block(prefix: str, layers: list[str], norms: Mapping[str, str]) -> Iterator[tuple[str, list[Source]]]:
    for layer_name, name in LINEAR.items():
        yield from _linear(f"{prefix}/{layer_name}", [f"{layer}/{name}" for layer in layers])
    for layer_name, name in norms.items():
        yield from _norm(f"{prefix}/{layer_name}", [f"{layer}/{name}" for layer in layers])


def convert_official(params: Parameters, config: ModelConfig) -> PerceiverAR:
    """The model of a configuration with official weights.

    The weights do not determine the heads, latents, rotary fraction and numbering of positions; these must be those of
    the training. Fixed position tables, which the official code stores as parameters, are compared and not stored.

    Args:
        params: arrays by module and parameter, from `read_official`.
        config: the architecture.

    Raises:
        UsageError: arrays are missing or unexpected, or shapes or fixed tables differ from the configuration.
    """
    if config.adaptive_cutoffs or config.positions == "both":
        raise UsageError(
            "the official code has neither adaptive embeddings nor positions of both kinds; configure neither"
        )
    abstract = nnx.eval_shape(lambda: PerceiverAR(config, nnx.Rngs(0)))
    graph, stored = nnx.split(abstract)
    shapes = {name.removesuffix("/value"): leaf.shape for name, leaf in flatten(stored).items()}
    sources = official_layout(config)
    used = {source for sources_of in sources.values() for source in sources_of}
    fixed = _fixed_tables(config)
    used |= {Source(_table(axis), "embeddings") for axis in fixed}
    there = {Source(module, name) for module, arrays in params.items() for name in arrays}
    problems = [f"'{'/'.join(source)}' is missing" for source in sorted(used - there)]
    problems += [f"'{'/'.join(source)}' is unexpected" for source in sorted(there - used)]
    arrays: dict[str, np.ndarray] = {}
    for name, sources_of in sources.items() if not problems else ():
        wanted = shapes[name][1:] if name.startswith("blocks/") else shapes[name]
        parts = [np.asarray(params[source.module][source.parameter], np.float32) for source in sources_of]
        problems += [
            f"'{'/'.join(source)}' has shape {part.shape}, expected {wanted}"
            for source, part in zip(sources_of, parts, strict=True)
            if part.shape != wanted
        ]
        if not problems:
            arrays[name] = np.stack(parts) if name.startswith("blocks/") else parts[0]
    problems += [] if problems else _differing_tables(params, fixed)
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise UsageError(
            f"the weights do not fit: {'; '.join(problems[:3])}{more}; choose the configuration of their training"
        )
    leaves = [jnp.asarray(arrays[name]) for name in shapes]
    return nnx.merge(graph, jax.tree.unflatten(jax.tree.structure(stored), leaves))


def _fixed_tables(config: ModelConfig) -> dict[int, np.ndarray]:
    """Fixed position tables, which are not parameters here, by axis."""
    if not config.uses_absolute_positions or config.position_tables == "learned":
        return {}
    tables = {}
    for axis, size in enumerate(config.axis_sizes):
        sources_of = jnp.arange(size)
        if config.position_tables == "fourier":
            tables[axis] = np.asarray(fourier_features(sources_of, size, config.input_dim))
        else:
            tables[axis] = np.asarray(sinusoids(sources_of, config.input_dim))
    return tables


def _differing_tables(params: Parameters, fixed: Mapping[int, np.ndarray]) -> list[str]:
    problems = []
    for axis, expected in fixed.items():
        official = np.asarray(params[_table(axis)]["embeddings"], np.float32)
        if official.shape != expected.shape:
            problems.append(f"'{_table(axis)}/embeddings' has shape {official.shape}, expected {expected.shape}")
        elif np.abs(official - expected).max() > TABLE_TOLERANCE:
            problems.append(f"'{_table(axis)}/embeddings' differs from the table of position_tables")
    return problems
