"""The verb `features`."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb

from audio_datasets import read_features
from audio_datasets.data.clips import ClipSet
from audio_datasets.exports.shards import write_shards


def test_features(sounds: ClipSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_shards(tmp_path / "shards", sounds)
    folder = tmp_path / "out"
    words = ("features", "--shards", str(tmp_path / "shards"), "--workers", "1", "--output", str(folder))
    assert run_verb("audio-datasets", *words, "--dry-run") == 0
    assert not folder.exists()
    assert run_verb("audio-datasets", *words) == 0
    assert "24 clips, 0 skipped; 1 of 1 parts now" in capsys.readouterr().out
    assert len(read_features(folder).ids) == 24
    assert run_verb("audio-datasets", *words) == 0
    assert "0 of 1 parts now" in capsys.readouterr().out
    assert run_verb("audio-datasets", *words, "--max-seconds", "0.2") == 2
    check_one_line_error(capsys.readouterr().err, "holds features of something else")


def test_unreadable_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.csv").write_text("path\nmissing.wav\n")
    words = ("features", "--dataset", "manifest", "--root", str(tmp_path), "--workers", "1")
    assert run_verb("audio-datasets", *words, "--output", str(tmp_path / "a")) == 2
    check_one_line_error(capsys.readouterr().err, "--unreadable skip")
    assert run_verb("audio-datasets", *words, "--unreadable", "skip", "--output", str(tmp_path / "b")) == 0
    assert "0 clips, 1 skipped" in capsys.readouterr().out
