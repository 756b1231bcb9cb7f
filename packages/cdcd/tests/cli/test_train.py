"""The verb `train` writes weights that `sample` reads."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb

SHORT = ("--loop.steps", "4", "--loop.evaluate-every", "0")


def test_train_then_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, exported = tmp_path / "run", tmp_path / "exported"
    words = ("--preset", "smoke", "--output", str(run), "--export", str(exported), *SHORT)
    assert run_verb("cdcd", "train", *words) == 0
    names = {"SHA256SUMS", "characters.txt", "config.json", "data.json", "model.safetensors"}
    assert {file.name for file in exported.iterdir()} == names
    assert (run / "samples" / "index.html").is_file()
    words = ("--weights", str(run), "--template", "We {5}", "--sampling.steps", "2", "--output", str(tmp_path / "s"))
    capsys.readouterr()
    assert run_verb("cdcd", "sample", *words) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("we")
    assert len((tmp_path / "s" / "sample-3.txt").read_text()) == 7


def test_causal_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--preset", "smoke-evaluator", "--output", str(tmp_path / "run"), *SHORT)
    assert run_verb("cdcd", "train", *words) == 0
    assert (tmp_path / "run" / "pretrained" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--preset", "smoke", "--model.vocab-size", "30"), "expected 28 for letters"),
        (("--preset", "smoke", "--batch-size", "3"), "batch_size is 3"),
        (("--preset", "smoke", "--data.dataset", "text", "--data.path", "missing.txt"), "missing.txt does not exist"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("cdcd", "train", *words, "--output", str(tmp_path / "run")) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()
