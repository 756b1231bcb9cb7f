"""The verb `evaluate` prints and writes its results."""

import json
from pathlib import Path

import pytest
from onepaper.testing import run_verb

from slowae_rlt.cli import evaluate
from slowae_rlt.data.prompts import split_prompts


def test_evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    parts = {"test": split_prompts(("en",))["test"][:2]}
    monkeypatch.setattr(evaluate, "split_prompts", lambda languages: parts)
    assert run_verb("slowae-rlt", "evaluate", "--weights", "identity", "--output", str(tmp_path / "e")) == 0
    results = json.loads((tmp_path / "e" / "evaluation.json").read_text())
    assert f"{results['bits a second']:.2f}" in capsys.readouterr().out
