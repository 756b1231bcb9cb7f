"""The verb `train` writes weights that `sample` reads."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb
from PIL import Image

SHORT = ("--autoencoder-training.loop.steps", "2", "--denoiser-training.loop.steps", "2")


def test_train_then_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, exported = tmp_path / "run", tmp_path / "exported"
    words = ("--preset", "smoke", "--output", str(run), "--export", str(exported), *SHORT)
    assert run_verb("imagen3", "train", *words) == 0
    assert {file.name for file in exported.iterdir()} == {"SHA256SUMS", "config.json", "model.safetensors"}
    drawn = tmp_path / "drawn"
    words = ("--weights", str(run), "--prompt", "a dog", "--count", "2", "--output", str(drawn))
    assert run_verb("imagen3", "sample", *words) == 0
    assert (drawn / "picture-1.png").read_bytes().startswith(b"\x89PNG")
    assert "picture-1.png" in (drawn / "index.html").read_text()
    assert "2 pictures, 8 steps of euler" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--data.size", "36"), "data.size is 36"),
        (("--data.dataset", "folder", "--data.path", "missing"), "missing"),
        (("--max-minutes", "-1"), "max_minutes is -1"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("imagen3", "train", "--preset", "smoke", *words, "--output", str(tmp_path / "run")) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()


def test_another_start_is_refused(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--preset", "smoke", "--start", str(weights), "--denoiser.depth", "1", "--output", str(tmp_path / "run"))
    assert run_verb("imagen3", "train", *words) == 2
    check_one_line_error(capsys.readouterr().err, "another denoiser.depth: 1 here, 2 there")
    assert not (tmp_path / "run").exists()


def test_export_is_tried_before_the_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--preset", "smoke", "--export", "/proc/weights", "--output", str(tmp_path / "run"))
    assert run_verb("imagen3", "train", *words) == 1
    check_one_line_error(capsys.readouterr().err, "choose another --export")
    assert not (tmp_path / "run").exists()


def test_dry_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("imagen3", "train", "--preset", "smoke", "--dry-run") == 0
    assert "20 steps of the autoencoder, 60 of the denoiser" in capsys.readouterr().out


def test_an_upsampler_and_averages(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, small = tmp_path / "sr", ("--training.loop.steps", "2", "--system", str(weights))
    assert run_verb("imagen3", "train", "--preset", "sr-smoke", *small, "--output", str(run)) == 0
    averages = ("--denoiser-training.averages", "0.1", "0.2", "--text.max-tokens", "4", *SHORT)
    assert run_verb("imagen3", "train", "--preset", "smoke", *averages, "--output", str(tmp_path / "base")) == 0
    words = ("--weights", str(tmp_path / "base"), "--average", "0.15", "--upscale", "2", "--upsampler", str(run))
    drawn = ("--count", "1", "--steps", "2", "--scale", "1", "--output", str(tmp_path / "drawn"))
    assert run_verb("imagen3", "sample", *words, *drawn) == 0
    printed = capsys.readouterr().out
    assert "captions are longer than text.max_tokens, 4; the rest is cut" in printed
    assert "average of relative width 0.15" in printed
    assert "agree with the small ones to" in printed
    assert Image.open(tmp_path / "drawn" / "picture-0.png").size == (64, 64)
