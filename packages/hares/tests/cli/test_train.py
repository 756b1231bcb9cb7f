"""The verb `train` writes weights that `evaluate` reads."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_train_then_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, exported = tmp_path / "run", tmp_path / "exported"
    small = ("--batch-size", "4", "--seconds", "0.3", "--loop.steps", "1")
    assert run_verb("hares", "train", "--preset", "smoke", *small, "--output", str(run), "--export", str(exported)) == 0
    assert (run / "pretrained" / "model.safetensors").is_file()
    assert {file.name for file in exported.iterdir()} == {"SHA256SUMS", "config.json", "model.safetensors"}
    assert (
        run_verb(
            "hares",
            "evaluate",
            "--embeddings",
            str(exported),
            "--tasks",
            "mini_sounds",
            "--output",
            str(tmp_path / "evaluated"),
        )
        == 0
    )
    assert "environment" in capsys.readouterr().out
    assert run_verb("hares", "train", "--batch-size", "1") == 2
    check_one_line_error(capsys.readouterr().err, "batch_size is 1")


def test_inputs_are_checked_before_the_run_folder_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, file = tmp_path / "run", tmp_path / "file"
    file.touch()
    words = ("train", "--preset", "smoke", "--output", str(run))
    assert run_verb("hares", *words, "--export", str(file / "below")) in (1, 2)
    check_one_line_error(capsys.readouterr().err, "--export")
    assert run_verb("hares", "train", "--output", str(run)) == 2
    check_one_line_error(capsys.readouterr().err, "--pool.path")
    assert not run.exists()
