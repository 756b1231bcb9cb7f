"""Systems on disk: the same pictures, in half precision nearly, and damaged files are refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from onepaper.errors import OnePaperError
from onepaper.testing.mutations import fuzz
from safetensors.torch import load_file, save_file

from imagen3.config import SamplingOptions
from imagen3.pretrained.systems import System, open_system, save_system
from imagen3.sampling import generate

OPTIONS = SamplingOptions(steps=2)


def test_saved_and_opened(system: System, weights: Path, tmp_path: Path) -> None:
    expected = generate(system, ["a dog"], OPTIONS)
    opened = open_system(weights)
    assert opened.config == system.config
    assert np.array_equal(generate(opened, ["a dog"], OPTIONS), expected)
    half = save_system(tmp_path / "half", system, half=True)
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (half, weights)]
    assert sizes[0] < 0.55 * sizes[1]
    found = generate(open_system(half), ["a dog"], OPTIONS)
    assert np.abs(found.astype(int) - expected).mean() < 2


def test_damaged_folders(system: System, tmp_path: Path) -> None:
    folder = save_system(tmp_path / "tiny", system)
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    for name, change, expected in (
        ("nan", {"denoiser.final.bias": torch.full_like(tensors["denoiser.final.bias"], torch.nan)}, "not finite"),
        ("shape", {"denoiser.final.bias": torch.zeros(3)}, "denoiser.final.bias"),
        ("more", {"surplus": torch.zeros(3)}, "surplus"),
    ):
        other = tmp_path / name
        other.mkdir()
        save_file(tensors | change, other / "model.safetensors")
        record = json.loads((folder / "config.json").read_text())
        (other / "config.json").write_text(json.dumps(record))
        with pytest.raises(OnePaperError) as error:
            open_system(other)
        assert expected in str(error.value) or "SHA-256" in str(error.value)
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(OnePaperError):
        open_system(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("count", [40, pytest.param(2000, marks=pytest.mark.slow)])
def test_damaged_files(name: str, count: int, weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(weights, folder)
    open_system(folder)  # what is imported and cached once is not counted
    fuzz(lambda path: open_system(path.parent), folder / name, [(weights / name).read_bytes()], count)


def test_unknown_name() -> None:
    with pytest.raises(OnePaperError, match="unknown weights 'emojis'"):
        open_system("emojis")
