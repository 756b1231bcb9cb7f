"""Hume-VocalBurst from a synthetic copy of the published layout."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError

from audio_datasets.data.loaders import load


def test_ratings(bursts: Path) -> None:
    clips = load("hume-vocalburst-two", bursts)
    assert clips.targets == ("Valence", "Arousal")
    assert [len(clips.split(name)) for name in ("train", "validation", "test")] == [4, 4, 4]
    assert clips.clips[1].targets[0] == pytest.approx(0.35)
    assert np.isnan(clips.split("test").ratings()).all()
    assert len(clips.clips[0].read(16_000)) == 4800


def test_classes(bursts: Path) -> None:
    clips = load("hume-vocalburst-type", bursts)
    assert [clip.label for clip in clips.split("train")] == ["Gasp", "Laugh", "Gasp", "Laugh"]
    with pytest.raises(UsageError, match="cannot be scored"):
        clips.split("test").labels()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Arousal", "Activity", "unknown column 'Arousal'"),
        ("[00001]", "00001", "line 3: the File_ID is '00001'"),
        ("[00001]", "[00000]", "'00000' of 'hume-vocalburst' is there twice"),
        ("Val,", "Dev,", "line 6: unknown Split 'Dev'"),
        ("0.350", "1.350", "line 3 has '1.350', expected a number from 0 to 1"),
        ("0.350", "nan", "line 3 has 'nan', expected a number"),
    ],
)
def test_wrong_labels(bursts: Path, tmp_path: Path, old: str, new: str, expected: str) -> None:
    (tmp_path / "labels").mkdir()
    text = (bursts / "labels" / "two_info.csv").read_text()
    assert old in text
    (tmp_path / "labels" / "two_info.csv").write_text(text.replace(old, new))
    with pytest.raises(UsageError) as raised:
        load("hume-vocalburst-two", tmp_path)
    assert expected in str(raised.value)


def test_missing_parts(bursts: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"culture_info.csv is missing"):
        load("hume-vocalburst-culture", bursts)
    shutil.copytree(bursts / "labels", tmp_path / "labels")
    with pytest.raises(UsageError, match="is not a file"):
        load("hume-vocalburst-two", tmp_path).clips[0].read()
