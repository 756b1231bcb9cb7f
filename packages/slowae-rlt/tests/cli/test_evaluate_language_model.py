"""The verb `evaluate-language-model` prints and writes its results."""

import json
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb

from slowae_rlt.cli import evaluate_language_model
from slowae_rlt.data.prompts import split_prompts


def test_evaluate(
    language_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = {part: prompts[:6] for part, prompts in split_prompts(("en",)).items()}
    monkeypatch.setattr(evaluate_language_model, "split_prompts", lambda languages: parts)
    words = ("--weights", str(language_weights), "--orders", "0", "1", "--output", str(tmp_path / "e"))
    assert run_verb("slowae-rlt", "evaluate-language-model", *words) == 0
    results = json.loads((tmp_path / "e" / "evaluation.json").read_text())
    assert list(results) == ["n-grams, order 0", "n-grams, order 1", str(language_weights)]
    assert results["n-grams, order 1"]["nats"] < results["n-grams, order 0"]["nats"]
    assert "bits per second" in capsys.readouterr().out


def test_wrong_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--orders", "-1", "--output", str(tmp_path / "e"))
    assert run_verb("slowae-rlt", "evaluate-language-model", *words) == 2
    check_one_line_error(capsys.readouterr().err, "order is -1")
