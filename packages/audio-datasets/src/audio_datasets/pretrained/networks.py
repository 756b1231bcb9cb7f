"""Trained networks on disk: weights in half precision, their configuration, and the data they were trained on."""

import json
from pathlib import Path
from typing import NamedTuple

import torch
from onepaper.config import from_dict, read_json, to_dict
from onepaper.data import write_sums
from onepaper.errors import UsageError
from onepaper.runs import write_atomic
from onepaper.torch.state_files import load_pretrained, save_pretrained
from onepaper.weights import find_weights

from audio_datasets.config import DataConfig, EndToEndConfig
from audio_datasets.models.emo18 import EndToEnd

DATA_NAME = "data.json"


class Network(NamedTuple):
    """A trained network with the data that it was trained on, and the names of its outputs."""

    model: EndToEnd
    data: DataConfig
    outputs: tuple[str, ...]


def save_network(folder: Path, network: Network) -> Path:
    """Write `model.safetensors` in half precision, `config.json`, `data.json`, and the checksums of all."""
    half = {
        name: value.half() if value.is_floating_point() else value for name, value in network.model.state_dict().items()
    }
    save_pretrained(folder, half, network.model.config)
    content = {"data": to_dict(network.data), "outputs": list(network.outputs)}
    write_atomic(folder / DATA_NAME, json.dumps(content, indent=2) + "\n")
    write_sums(folder)
    return folder


def open_network(name: str | Path) -> Network:
    """A network that `save_network` wrote, by its folder, that of its training, or its shipped name.

    Raises:
        UsageError: no such network, or one whose files do not fit together or are not finite.
        OnePaperError: the weights are missing or damaged.
    """
    folder = find_weights(name, "audio_datasets")
    content = read_json(folder / DATA_NAME, "description of the weights")
    if not isinstance(content, dict) or not isinstance(content.get("outputs"), list):
        raise UsageError(f"{folder / DATA_NAME} has no list of outputs; give the complete folder of a training")
    model, config = load_pretrained(folder, EndToEndConfig, lambda config: EndToEnd(config).half())
    model = model.float().eval()
    if len(content["outputs"]) != config.outputs:
        raise UsageError(f"{folder} names {len(content['outputs'])} outputs, expected {config.outputs}; copy it again")
    for tensor, value in model.state_dict().items():
        if not bool(torch.isfinite(value).all()):
            raise UsageError(f"{folder}: {tensor} is not finite; use weights of another training")
    data = from_dict(DataConfig, content.get("data"), str(folder / DATA_NAME))
    return Network(model, data, tuple(map(str, content["outputs"])))
