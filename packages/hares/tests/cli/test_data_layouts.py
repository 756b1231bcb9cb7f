"""`data check` on a small copy, and on one that is damaged."""

from pathlib import Path

import pytest
from onepaper.audio import write_wav
from onepaper.testing import run_verb

from hares.cli.data_layouts import LAYOUTS
from hares.suite.loading import LOADERS


def test_every_data_set_has_a_layout() -> None:
    # Both readings of version 0.01, and both targets of NSynth, have one layout.
    assert {layout.dataset for layout in LAYOUTS} == set(LOADERS) - {"speech_commands_v1", "nsynth_pitch"}


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    (tmp_path / "meta").mkdir()
    (tmp_path / "audio").mkdir()
    write_wav(tmp_path / "audio" / "a.wav", np.ones(100, np.float32), 8000)
    table = tmp_path / "meta" / "esc50.csv"
    table.write_text("filename,fold,target,category\na.wav,1,0,dog\nb.wav,2,0,dog\n")
    assert run_verb("hares", "data", "check", str(tmp_path)) == 2
    assert "the copy has clips of: 1, 1 files are missing" in capsys.readouterr().out
    write_wav(tmp_path / "audio" / "b.wav", np.ones(100, np.float32), 8000)
    assert run_verb("hares", "data", "check", str(tmp_path)) == 0
    found = capsys.readouterr().out
    assert "ESC-50" in found
    assert "1: 1 clips, published are 400" in found
