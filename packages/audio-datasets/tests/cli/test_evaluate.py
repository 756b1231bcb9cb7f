"""The verb `evaluate` with support vectors; with a network it is in `test_train`."""

import json
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_ratings(bursts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--dataset", "hume-vocalburst-two", "--root", str(bursts), "--split", "validation", "--resamples", "40")
    assert run_verb("audio-datasets", "evaluate", *words, "--output", str(tmp_path)) == 0
    content = json.loads((tmp_path / "evaluation.json").read_text())
    assert set(content["scores"]) == {"mean CCC", "mean Spearman"}
    header = (tmp_path / "predictions.csv").read_text().splitlines()[0]
    assert header == "id,group,Valence/truth,Arousal/truth,Valence/predicted,Arousal/predicted"


def test_a_blind_split(bursts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--dataset", "hume-vocalburst-two", "--root", str(bursts), "--split", "test", "--output", str(tmp_path))
    assert run_verb("audio-datasets", "evaluate", *words) == 2
    check_one_line_error(capsys.readouterr().err, "has the split test and labels; a blind split is sent with --task")


def test_folds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--folds", "2", "--max-seconds", "0.2", "--resamples", "20", "--output", str(tmp_path))
    assert run_verb("audio-datasets", "evaluate", *words) == 0
    assert "recall" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--folds", "40"), "expected 2 to 9"),
        (("--weights", "nothing", "--split", "test"), "unknown weights"),
        (("--weights", "x"), "folds are for classes"),
        (("--resamples", "0"), "resamples is 0"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("audio-datasets", "evaluate", *words, "--max-seconds", "0.1", "--output", str(tmp_path)) == 2
    check_one_line_error(capsys.readouterr().err, expected)
