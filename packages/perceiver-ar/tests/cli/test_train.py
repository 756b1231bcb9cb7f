from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a short training."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    words = ("train", "--preset", "smoke-text", "--loop.steps", "2", "--output", str(folder))
    assert run_verb("perceiver-ar", *words) == 0
    return folder


def test_a_run_has_weights_logs_and_samples(trained: Path) -> None:
    assert (trained / "pretrained" / "model.safetensors").is_file()
    assert (trained / "metrics.jsonl").is_file()
    assert (trained / "samples" / "index.html").read_text(encoding="utf-8").count("<pre>") == 4
    assert run_verb("perceiver-ar", "sample", "--weights", str(trained), "--dry-run") == 0


def test_a_run_without_samples(tmp_path: Path) -> None:
    words = ("--preset", "smoke-text", "--samples", "0", "--loop.steps", "1", "--output", str(tmp_path / "run"))
    assert run_verb("perceiver-ar", "train", *words) == 0
    assert (tmp_path / "run" / "pretrained" / "model.safetensors").is_file()
    assert not (tmp_path / "run" / "samples").exists()


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("perceiver-ar", "train", "--preset", "smoke", "--dry-run", "--output", str(tmp_path / "run")) == 0
    assert "would train smoke: 200 steps of batch 32" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--model.heads", "3"), "multiple of the 3 heads"),
        (("--tensor", "2", "--context", "3"), "1 devices do not divide into groups of 6"),
        (("--preset", "paper-maestro"), "where is the dataset 'maestro'?"),
    ],
)
def test_inputs_are_validated_before_there_is_a_run(
    words: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run_verb("perceiver-ar", "train", *words) == 2
    check_one_line_error(capsys.readouterr().err, message)
    assert not any(tmp_path.iterdir())
