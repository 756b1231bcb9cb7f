"""The verb `train` writes weights that `sample` and `evaluate` read."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb
from PIL import Image

from dct_transformer.data.images import photographs


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


@pytest.mark.parametrize("preset", ["baseline-jpeg-bytes", "baseline-codes"])
def test_baselines(preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--preset", preset, "--loop.steps", "3", "--dim", "16", "--layers", "1", "--output", str(tmp_path / "run"))
    assert run_verb("dct-transformer", "train", *words) == 0
    out = capsys.readouterr().out
    assert "bits per image" in out
    assert "of 16 drawn sequences are pictures" in out
    assert (tmp_path / "run" / "baseline.json").is_file()
    assert run_verb("dct-transformer", "train", *words, "--export", str(tmp_path / "weights")) == 2
    check_one_line_error(capsys.readouterr().err, "leave it out for baselines")


@pytest.mark.parametrize("preset", ["laptop-32", pytest.param("laptop-64", marks=pytest.mark.slow)])
def test_larger_presets(preset: str, tmp_path: Path) -> None:
    words = ("--preset", preset, "--loop.steps", "2", "--loop.evaluate-every", "0", "--batch-size", "2")
    assert run_verb("dct-transformer", "train", *words, "--output", str(tmp_path / "run")) == 0
    assert (tmp_path / "run" / "pretrained" / "classes.json").is_file()


def test_stored_coefficients(tmp_path: Path) -> None:
    """A training on the coefficients in JPEG files, and an evaluation on them."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name, photo in list(photographs().items())[:10]:
        Image.fromarray(photo).save(folder / f"{name}.jpg", quality=60)
    data = ("--data.dataset", "images", "--data.path", str(folder), "--data.stored")
    words = ("--preset", "laptop-32", "--model.classes", "0", "--loop.steps", "2", "--loop.evaluate-every", "0")
    run = str(tmp_path / "run")
    assert run_verb("dct-transformer", "train", *words, "--batch-size", "2", *data, "--output", run) == 0
    words = ("--weights", run, *data, "--no-distances", "--output", str(tmp_path / "evaluation"))
    assert run_verb("dct-transformer", "evaluate", *words) == 0
