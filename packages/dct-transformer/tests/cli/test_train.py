"""The verb `train` writes weights that `sample` and `evaluate` read."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_train_then_sample_and_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(tmp_path / "run")
    exported = tmp_path / "exported"
    words = ("--preset", "smoke", "--loop.steps", "4", "--output", run, "--export", str(exported))
    assert run_verb("dct-transformer", "train", *words) == 0
    assert {file.name for file in exported.iterdir()} == {
        "SHA256SUMS",
        "classes.json",
        "config.json",
        "model.safetensors",
    }
    assert (tmp_path / "run" / "pretrained" / "model.safetensors").is_file()
    assert list((tmp_path / "run" / "samples").rglob("sample-0.png"))
    out = str(tmp_path / "samples")
    assert run_verb("dct-transformer", "sample", "--weights", run, "--count", "2", "--output", out) == 0
    assert (tmp_path / "samples" / "index.html").is_file()
    out = str(tmp_path / "evaluation")
    assert run_verb("dct-transformer", "evaluate", "--weights", run, "--count", "4", "--output", out) == 0
    printed = capsys.readouterr().out
    assert "bits per triple" in printed
    assert "coded originals" in printed
    assert "sfd haar" in printed
    assert run_verb("dct-transformer", "train", "--model.dim", "0") == 2
    check_one_line_error(capsys.readouterr().err, "dim is 0")
    assert run_verb("dct-transformer", "train", "--export", "/proc/weights") == 1
    check_one_line_error(capsys.readouterr().err, "choose another --export")
