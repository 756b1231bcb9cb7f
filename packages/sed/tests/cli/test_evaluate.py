"""The verb `evaluate` compares samples of each task with held-out text."""

import json
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_evaluate(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, evaluator = str(weights / "kjv"), str(weights / "kjv-evaluator")
    words = ("--weights", network, "--evaluator", evaluator, "--baseline", evaluator, "--samples", "4")
    assert run_verb("sed", "evaluate", *words, "--sampling.steps", "2", "--output", str(tmp_path)) == 0
    assert "ar nll" in capsys.readouterr().out
    content = json.loads((tmp_path / "evaluation.json").read_text())
    assert {"held-out text", "unconditional", "middle", f"suffix, {evaluator}"} < set(content["samples"])
    assert "accuracy_self_50" in content["denoising"]
    page = (tmp_path / "index.html").read_text()
    assert all(f"{task}/sample-3.txt" in page for task in ("unconditional", "suffix", "spans"))
    text, given = ((tmp_path / "suffix" / f"sample-0.{end}").read_text() for end in ("txt", "given.txt"))
    count = len(given.rstrip("\N{WHITE SQUARE}"))
    assert 0 < count < len(given) == len(text)
    assert text[:count] == given[:count]


def test_wrong_kind_of_weights(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = str(weights / "kjv")
    assert run_verb("sed", "evaluate", "--weights", network, "--evaluator", network) == 2
    check_one_line_error(capsys.readouterr().err, "expected 'autoregressive'")
