"""The verb `import` writes a network that samples, and refuses damaged files in one line."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.testing import check_one_line_error, run_verb

from cdcd.config import SamplingOptions
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.sampling import Sampler

pytest.importorskip("torch")

from plaid_files import LENGTH, save, state_dicts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(state_dicts(), tmp_path)


def test_verb_writes_a_network_that_samples(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "run"
    assert run_verb("cdcd", "import", str(folder), "--length", str(LENGTH), "--output", str(output)) == 0
    assert "parameters" in capsys.readouterr().out
    network = CategoricalDiffusion.from_pretrained(output / "pretrained")
    blank = np.zeros((2, LENGTH), np.int32)
    tokens = Sampler(network, SamplingOptions(steps=3)).sample(blank, np.ones_like(blank, bool)).tokens
    assert tokens.shape == (2, LENGTH)


def test_damaged_file(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "model.pt").write_bytes(b"no pickle")
    output = tmp_path / "run"
    assert run_verb("cdcd", "import", str(folder), "--output", str(output)) == 2
    check_one_line_error(capsys.readouterr().err, "model.pt")
    assert not output.exists()
