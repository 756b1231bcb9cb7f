"""The verb `evaluate` compares completions with held-out text."""

import json
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb
from PIL import Image

from cdcd.evaluation.mauve import MAUVE_NAME


def test_evaluate(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, evaluator = str(weights / "speeches"), str(weights / "speeches-evaluator")
    words = ("--weights", network, "--evaluator", evaluator, "--baseline", evaluator, "--prompts", "4")
    sweep = ("--softmax-temperatures", "0.5", "--repeats", "2", "--sampling.steps", "2")
    assert run_verb("cdcd", "evaluate", *words, *sweep, "--output", str(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert "ar nll completion" in printed
    assert MAUVE_NAME in printed  # the score, or that its library is missing
    content = json.loads((tmp_path / "evaluation.json").read_text())
    assert set(content["completions"]) == {"held-out text", network, evaluator}
    assert "t_min_share" in content["loss"]
    assert [point["label"] for point in content["frontier"]["softmax_temperature"]] == ["0.5"]
    assert Image.open(tmp_path / "frontier.png").size[0] > 100


def test_wrong_kind_of_weights(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = str(weights / "speeches")
    assert run_verb("cdcd", "evaluate", "--weights", network, "--evaluator", network) == 2
    check_one_line_error(capsys.readouterr().err, "expected 'autoregressive'")


def test_wrong_values_are_refused_before_anything_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("cdcd", "evaluate", "--softmax-temperatures", "0.5", "-1") == 2
    check_one_line_error(capsys.readouterr().err, "softmax_temperature is -1")
