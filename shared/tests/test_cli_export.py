"""`export`: what is taken from the folder of a training, and what is refused. (Shipped weights: tools/tests.)"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from onepaper.checkpoints import read_pretrained, write_pretrained
from onepaper.data import file_sha256, write_sums

from .conftest import Command

pytestmark = pytest.mark.usefixtures("paper")


@dataclass(frozen=True)
class Width:
    width: int = 3


@pytest.fixture
def run(command: Command, tmp_path: Path) -> Path:
    """A run with weights, a checkpoint and samples of two steps."""
    folder = tmp_path / "run"
    assert command("fake-paper", "train", "--output", str(folder))[0] == 0
    tensors = {"weight": np.zeros((3, 4), np.float16), "bias": np.zeros(4, np.float32)}
    write_pretrained(folder / "pretrained", Width(), lambda path: save_file(tensors, path))
    (folder / "checkpoints").mkdir()
    for step in (9, 10):
        (folder / "samples" / f"step-{step}").mkdir(parents=True)
        (folder / "samples" / f"step-{step}" / "one.txt").write_text(f"sample of step {step}")
    return folder


def test_a_training(command: Command, run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "hub"
    status, out, _ = command("fake-paper", "export", str(run), str(folder))
    assert (status, out.splitlines()) == (0, [f"{folder}: 5 files, described in README.md"])
    config, weights = read_pretrained(folder, Width)
    assert config == Width()
    assert file_sha256(weights) == file_sha256(run / "pretrained" / "model.safetensors")
    assert (folder / "samples" / "one.txt").read_text() == "sample of step 10"
    card = (folder / "README.md").read_text()
    assert card.startswith(
        "---\nlicense: apache-2.0\nlibrary_name: fake-paper\ntags:\n- fake-paper\n- torch\n---\n\n# run\n"
    )
    assert "| model.safetensors | 16 | F16, F32 |" in card
    assert json.dumps({"width": 3}, indent=1) in card
    assert "## Training" in card
    assert "Data of your own have a licence of their own." in card


def test_what_is_refused(command: Command, run: Path, tmp_path: Path) -> None:
    def problem(*words: object) -> str:
        status, _, error = command("fake-paper", "export", *map(str, words))
        assert status in (1, 2)
        return error

    assert "onepaper fake-paper export WEIGHTS FOLDER (none are shipped)" in problem()
    assert "exists and is not empty" in problem(run, run)
    assert "unknown weights 'none'" in problem("none", tmp_path / "hub")
    (tmp_path / "empty").mkdir()
    assert "holds no weights" in problem(tmp_path / "empty", tmp_path / "hub")
    write_sums(run / "pretrained")
    (run / "pretrained" / "config.json").write_text("{}")
    assert "damaged" in problem(run, tmp_path / "hub")
    assert not (tmp_path / "hub").exists()
