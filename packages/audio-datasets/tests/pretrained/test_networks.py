"""Networks on disk, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from onepaper.errors import OnePaperError, UsageError

from audio_datasets.data.examples.hedgewars import CLASSES
from audio_datasets.presets import PRESETS
from audio_datasets.pretrained.networks import open_network, save_network


def test_round_trip(weights: Path, tmp_path: Path) -> None:
    """Half precision loses nothing a second time."""
    network = open_network(weights)
    assert network.outputs == CLASSES
    again = open_network(save_network(tmp_path / "again", network)).model.state_dict()
    for name, value in network.model.state_dict().items():
        assert torch.equal(value, again[name])
        assert value.dtype in (torch.float32, torch.int64)
    assert (weights / "model.safetensors").stat().st_size < 2.2 * sum(p.numel() for p in network.model.parameters())


def test_the_shipped_network() -> None:
    network = open_network("hedgewars")
    assert network.outputs == CLASSES
    assert network.model.config == PRESETS["laptop-end-to-end"].config.model
    assert network.data == PRESETS["laptop-end-to-end"].config.data


def test_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown weights 'nowhere'"):
        open_network("nowhere")
    folder = shutil.copytree(weights, tmp_path / "copy")
    network = open_network(folder)
    with torch.no_grad():
        network.model.head.bias[0] = torch.nan
    save_network(folder, network)
    with pytest.raises(UsageError, match=r"head.bias is not finite"):
        open_network(folder)
    save_network(folder, open_network(weights))
    (folder / "data.json").write_text(json.dumps({"outputs": ["a"]}))
    with pytest.raises(OnePaperError, match="data.json is damaged"):
        open_network(folder)
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(UsageError, match="names 1 outputs, expected 8"):
        open_network(folder)
    (folder / "data.json").write_text("[]")
    with pytest.raises(UsageError, match="has no list of outputs"):
        open_network(folder)


def test_damaged_files_are_one_line_errors(weights: Path, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(30):
        folder = shutil.copytree(weights, tmp_path / str(number))
        file = sorted(folder.iterdir())[number % 3]
        content = bytearray(file.read_bytes())
        if number % 2:
            content[int(generator.integers(len(content)))] ^= 1 << int(generator.integers(8))
        else:
            content = content[: int(generator.integers(len(content)))]
        file.write_bytes(content)
        try:
            open_network(folder)
        except OnePaperError as error:
            message = str(error)
        else:
            message = ""
        assert "\n" not in message
