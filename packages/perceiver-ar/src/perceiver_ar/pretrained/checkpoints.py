"""Networks with what is needed to use them: weights, configuration, the kind of data and its codec."""

import importlib.resources
import json
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
from flax import nnx
from onepaper.config import from_dict, to_dict
from onepaper.errors import UsageError
from onepaper.jax.state_files import flatten
from onepaper.runs import write_atomic

from perceiver_ar.config import DataConfig
from perceiver_ar.data.codec import Codec
from perceiver_ar.data.datasets import saved_codec
from perceiver_ar.models.perceiver_ar import PerceiverAR

DATA_NAME = "data.json"


# Networks that ship with the package.
SHIPPED = ("copy", "text", "music")


class Network(NamedTuple):
    """A trained model and how its tokens read; no codec for the copy task."""

    model: PerceiverAR
    data: DataConfig
    codec: Codec | None


def shipped(name: str) -> Path:
    """The folder of a network that ships with the package."""
    return Path(str(importlib.resources.files("perceiver_ar"))) / "assets" / "weights" / name


def find(name: str) -> Path:
    """The folder of a network: a shipped one by its name, or a folder.

    Raises:
        UsageError: neither.
    """
    if name in SHIPPED and not Path(name).is_dir():
        return shipped(name)
    if not Path(name).is_dir():
        raise UsageError(
            f"weights '{name}' are neither a folder nor a shipped network ({', '.join(SHIPPED)}); "
            "give the `pretrained` folder of a training run"
        )
    return Path(name)


def save_network(folder: Path, network: Network) -> Path:
    """Write `model.safetensors`, `config.json`, `data.json` and what the codec needs."""
    network.model.save_pretrained(folder)
    write_atomic(folder / DATA_NAME, (json.dumps(to_dict(network.data), indent=2) + "\n").encode())
    for name, content in ({} if network.codec is None else network.codec.saved_files()).items():
        write_atomic(folder / name, content)
    return folder


def open_network(name: str) -> Network:
    """A network that `save_network` wrote, by its folder or shipped name.

    Raises:
        UsageError: no such network, a folder without `data.json`, or weights that are not finite.
    """
    folder = find(name)

    def read(file: str) -> bytes:
        try:
            return (folder / file).read_bytes()
        except FileNotFoundError:
            raise UsageError(f"{folder / file} is missing; give the whole `pretrained` folder of a training") from None

    try:
        data = from_dict(DataConfig, json.loads(read(DATA_NAME)), str(folder / DATA_NAME))
    except json.JSONDecodeError as error:
        raise UsageError(f"{folder / DATA_NAME} is no JSON ({error}); copy the folder again") from None
    codec = None if data.kind == "copy" else saved_codec(data, read)
    model = PerceiverAR.from_pretrained(folder)
    for name, leaf in flatten(nnx.state(model)).items():
        if not bool(jnp.isfinite(leaf).all()):
            raise UsageError(f"{folder}: {name.removesuffix('/value')} is not finite; take weights of another training")
    return Network(model, data, codec)
