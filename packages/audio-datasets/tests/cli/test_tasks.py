"""`evaluate --task` on small copies in the published layouts."""

import json
import shutil
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb

from audio_datasets.data.loaders import load

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
QUICK = ("--resamples", "20")


def test_scores_and_a_row_of_the_leaderboard(bursts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--task", "avb-two", "--root", str(bursts), "--baseline", "linear", "--output", str(tmp_path / "run"))
    assert run_verb("audio-datasets", "evaluate", *words, *QUICK) == 0
    content = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert (content["task"], content["split"], content["system"]) == ("avb-two", "validation", "linear on open")
    assert "mean CCC (hume2022)" in capsys.readouterr().out
    assert run_verb("audio-datasets", "leaderboard", "avb-two", "--runs", str(tmp_path / "run")) == 0
    rows = capsys.readouterr().out
    assert "linear on open, validation split (not in the paper)" in rows
    assert "End2You (table 7)" in rows


def test_a_blind_split_is_sent(bursts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--task", "avb-type", "--root", str(bursts), "--split", "test", "--output", str(tmp_path))
    assert run_verb("audio-datasets", "evaluate", *words) == 0
    assert "labels of this split are blind" in capsys.readouterr().out
    assert len((tmp_path / "submission.csv").read_text().splitlines()) == 5
    assert run_verb("audio-datasets", "leaderboard", "--runs", str(tmp_path)) == 2
    check_one_line_error(capsys.readouterr().err, "has no score of a task")


def test_few_shot(exvo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(tmp_path / "run")
    sizes = ("--model.hidden", "8", "--model.layers", "1", "--loop.steps", "2")
    words = ("--preset", "paper-few-shot", "--data.root", str(exvo), *sizes, "--output", run)
    assert run_verb("audio-datasets", "train", *words) == 0
    words = ("--task", "exvo-few-shot", "--root", str(exvo), "--weights", run, "--output", str(tmp_path / "found"))
    assert run_verb("audio-datasets", "evaluate", *words, *QUICK) == 0
    assert "gain of adaptation" in capsys.readouterr().out
    assert len((tmp_path / "found" / "submission.csv").read_text().splitlines()) == 5


def test_fused_encoders(sonata: Path, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--task", "sonata-25", "--root", str(sonata), "--split", "test", "--baseline", "linear")
    encoders = ("--bank", "encoder", "--encoder.folders", str(encoder), str(encoder), "--output", str(tmp_path))
    assert run_verb("audio-datasets", "evaluate", *words, *encoders, *QUICK) == 0
    out = capsys.readouterr().out
    assert "linear on small and small" in out
    assert "1 speakers are in several splits" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--task", "avb-twos", "--root", "."), "did you mean 'avb-two'"),
        (("--task", "avb-two"), "needs your copy of its data set"),
        (("--task", "exvo-generate", "--root", "."), "generation_score scores them"),
        (("--task", "avb-two", "--root", "nowhere"), "nowhere does not exist"),
        (("--bank", "encoder"), "embeddings need both"),
        (("--fusion", "late"), "are of --task"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("audio-datasets", "evaluate", *words, "--output", str(tmp_path / "run")) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()


def stored(folder: Path, root: Path, name: str) -> Path:
    """Features of the clips of a copy, in one file each; the copy itself without audio."""
    clips = load(name, root)
    folder.mkdir()
    for place, clip in enumerate(clips):
        (folder / f"{clip.id}.csv").write_text(f"name;frameTime;a;b\n'x';0.0;{place % 4};{place * 7 % 5}\n")
    return folder


def test_stored_features_need_no_audio(bursts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features = stored(tmp_path / "eGeMAPS", bursts, "hume-vocalburst-two")
    shutil.copytree(bursts / "labels", tmp_path / "copy" / "labels")
    words = ("--task", "avb-two", "--root", str(tmp_path / "copy"), "--bank", "stored", "--stored", str(features))
    run = ("--baseline", "linear", "--output", str(tmp_path / "run"), *QUICK)
    assert run_verb("audio-datasets", "evaluate", *words, *run, "--strict-official") == 0
    assert "linear on eGeMAPS" in capsys.readouterr().out
    assert run_verb("audio-datasets", "evaluate", *words, str(tmp_path / "nowhere"), *run) == 2
    check_one_line_error(capsys.readouterr().err, "nowhere does not exist")
    assert run_verb("audio-datasets", "evaluate", *words[:4], "--bank", "stored", *run) == 2
    check_one_line_error(capsys.readouterr().err, "--bank stored --stored PATH")
