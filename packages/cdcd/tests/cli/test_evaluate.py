"""The verb `evaluate` compares completions with held-out text."""

import json
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_evaluate(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, evaluator = str(weights / "speeches"), str(weights / "speeches-evaluator")
    words = ("--weights", network, "--evaluator", evaluator, "--baseline", evaluator, "--prompts", "4")
    assert run_verb("cdcd", "evaluate", *words, "--sampling.steps", "2", "--output", str(tmp_path)) == 0
    assert "ar nll completion" in capsys.readouterr().out
    content = json.loads((tmp_path / "evaluation.json").read_text())
    assert set(content["completions"]) == {"held-out text", network, evaluator}
    assert "t_min_share" in content["loss"]


def test_wrong_kind_of_weights(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = str(weights / "speeches")
    assert run_verb("cdcd", "evaluate", "--weights", network, "--evaluator", network) == 2
    check_one_line_error(capsys.readouterr().err, "expected 'autoregressive'")
