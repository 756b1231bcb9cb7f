"""The verb `train` writes weights that `evaluate` reads."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_train_then_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    small = ("--batch-size", "4", "--seconds", "0.3", "--loop.steps", "1")
    assert run_verb("hares", "train", "--preset", "smoke", *small, "--output", str(run)) == 0
    assert (run / "pretrained" / "model.safetensors").is_file()
    assert run_verb("hares", "evaluate", "--embeddings", str(run), "--tasks", "mini_sounds") == 0
    assert "environment" in capsys.readouterr().out
    assert run_verb("hares", "train", "--batch-size", "1") == 2
    check_one_line_error(capsys.readouterr().err, "batch_size is 1")
