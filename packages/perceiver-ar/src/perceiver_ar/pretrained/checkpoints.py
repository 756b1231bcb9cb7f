"""Trained networks on disk: weights, configuration, the data they were trained on, and the codec."""

import importlib.resources
import json
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
from flax import nnx
from onepaper.config import from_dict, read_json, to_dict
from onepaper.data import sums_problems, write_sums
from onepaper.errors import OnePaperError, UsageError
from onepaper.jax.state_files import flatten
from onepaper.runs import write_atomic

from perceiver_ar.config import DataConfig
from perceiver_ar.data.corpus import Codec
from perceiver_ar.data.datasets import saved_codec
from perceiver_ar.models.perceiver_ar import PerceiverAR

DATA_NAME = "data.json"


# Networks that ship with the package.
SHIPPED = ("copy", "text", "music")


class Network(NamedTuple):
    """A trained model, its data and its codec; the copy task has no codec."""

    model: PerceiverAR
    data: DataConfig
    codec: Codec | None


def shipped_folder(name: str) -> Path:
    """The folder of a network that ships with the package."""
    return Path(str(importlib.resources.files("perceiver_ar"))) / "assets" / "weights" / name


def find_weights(name: str) -> Path:
    """The folder of a network, given by the name of a shipped network or by a path.

    Raises:
        UsageError: no such network.
    """
    if name in SHIPPED and not Path(name).is_dir():
        return shipped_folder(name)
    if not Path(name).is_dir():
        raise UsageError(
            f"weights '{name}' are neither a folder nor a shipped network ({', '.join(SHIPPED)}); "
            "give the `pretrained` folder of a training run"
        )
    return Path(name)


def save_network(folder: Path, network: Network) -> Path:
    """Write `model.safetensors`, `config.json`, `data.json`, the files of the codec, and the SHA-256 of them all."""
    network.model.save_pretrained(folder)
    write_atomic(folder / DATA_NAME, (json.dumps(to_dict(network.data), indent=2) + "\n").encode())
    for name, content in ({} if network.codec is None else network.codec.saved_files()).items():
        write_atomic(folder / name, content)
    write_sums(folder)
    return folder


def check_network(name: str) -> None:
    """Raise an `OnePaperError` unless the files of a network are those that `save_network` wrote."""
    folder = find_weights(name)
    for problem in sums_problems(folder):
        raise OnePaperError(problem)
    if (folder / DATA_NAME).is_file():
        read_json(folder / DATA_NAME, "record of the data")


def open_network(name: str) -> Network:
    """A network that `save_network` wrote, by its folder or shipped name.

    Raises:
        UsageError: no such network, a folder without `data.json`, or weights that are not finite.
    """
    folder = find_weights(name)

    def read(file: str) -> bytes:
        try:
            return (folder / file).read_bytes()
        except FileNotFoundError:
            raise UsageError(
                f"{folder / file} is missing; give the complete `pretrained` folder of a training run"
            ) from None

    try:
        data = from_dict(DataConfig, json.loads(read(DATA_NAME)), str(folder / DATA_NAME))
    except json.JSONDecodeError as error:
        raise UsageError(f"{folder / DATA_NAME} is not valid JSON ({error}); copy the folder again") from None
    codec = None if data.kind == "copy" else saved_codec(data, read)
    model = PerceiverAR.from_pretrained(folder)
    for name, leaf in flatten(nnx.state(model)).items():
        if not bool(jnp.isfinite(leaf).all()):
            raise UsageError(
                f"{folder}: {name.removesuffix('/value')} is not finite; use weights of another training run"
            )
    return Network(model, data, codec)
