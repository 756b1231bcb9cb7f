"""The verb `evaluate-translation` measures a grid and the baseline."""

import json
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_grid(translators: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, baseline = (str(translators / name) for name in ("verses", "verses-autoregressive"))
    words = ("--weights", network, "--baseline", baseline, "--sentences", "4", "--sampling.steps", "2")
    assert run_verb("cdcd", "evaluate-translation", *words, "--guidance", "1", "2", "--output", str(tmp_path)) == 0
    content = json.loads((tmp_path / "evaluation.json").read_text())
    names = {"T=0.8 guidance=1", "T=0.8 guidance=2", f"{baseline}, 4 beams", "references"}
    assert set(content["translations"]) == names
    assert content["translations"]["references"]["bleu"] == pytest.approx(100)
    assert "bleu" in capsys.readouterr().out


def test_wrong_weights(translators: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline = str(translators / "verses-autoregressive")
    assert run_verb("cdcd", "evaluate-translation", "--weights", baseline) == 2
    check_one_line_error(capsys.readouterr().err, "expected 'translation'")
