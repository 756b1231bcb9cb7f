"""Manifests: columns by name, times in seconds."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from audio_datasets.data.loaders import load
from audio_datasets.data.manifests import propose_columns, read_manifest, seconds_of


def test_columns() -> None:
    found = propose_columns(("File Name", "actor", "Emotion", "Partition", "Awe"))
    assert found == {"path": "File Name", "speaker": "actor", "label": "Emotion", "split": "Partition"}


def test_manifest(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(
        "path,speaker,emotion,split,start,end,Awe\na.wav,s1,fear,dev,0.5,1.25,0.5\na.wav,s2,hype,train,1:02.5,63,\n"
    )
    clips = load("modulate-sonata", tmp_path)
    first, second = clips.clips
    assert (first.split, first.label, first.start, first.seconds) == ("validation", "fear", 0.5, 0.75)
    assert (second.id, second.start, second.seconds) == ("a.wav@62.5", 62.5, 0.5)
    assert clips.targets == ("Awe",)
    assert clips.ratings()[0] == 0.5
    assert np.isnan(clips.ratings()[1])
    assert clips.classes == ("fear", "hype")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("12", 12.0),
        ("12.5", 12.5),
        ("1:02.5", 62.5),
        ("00:01:02.5", 62.5),
        ("1:00:02", 3602.0),
        ("0 days 00:00:12.5", 12.5),
        (str(timedelta(days=1, seconds=62.5)), 86462.5),
        (timedelta(seconds=62.5), 62.5),
        (12, 12.0),
        (12.5, 12.5),
        (1e-05, 1e-05),
        ("", None),
        ("NaT", None),
    ],
)
def test_times(cell: str | float | timedelta, expected: float | None) -> None:
    """Bare numbers are seconds, not nanoseconds or samples."""
    assert seconds_of(cell, "x") == expected


@pytest.mark.parametrize("cell", ["-1", "1,5", "nan", "1s", "::", "1e999", "inf"])
def test_wrong_times(cell: str) -> None:
    with pytest.raises(UsageError, match="expected seconds"):
        seconds_of(cell, "x")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("name\nx\n", "no column of paths"),
        ("path\n../secret.wav\n", "expected a path below"),
        ("path\n/etc/passwd\n", "expected a path below"),
        ("path,split\na.wav,holdout\n", "has the split 'holdout'"),
        ("path,start,end\na.wav,2,1\n", "ends at 1 s and starts at 2 s"),
        ("path\na.wav\na.wav\n", "is there twice"),
    ],
)
def test_wrong_manifests(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UsageError, match=expected):
        read_manifest(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("header", "row", "start", "seconds"),
    [
        ("audio_filepath,offset,duration", "a.wav,0.5,2", 0.5, 2.0),
        ("path,onset,offset", "a.wav,0.5,2", 0.5, 1.5),
        ("path,start,duration", "a.wav,,2", 0.0, 2.0),
        ("path,start,end", "a.wav,0 days 00:00:00.500000,NaT", 0.5, None),
    ],
)
def test_names_of_times(tmp_path: Path, header: str, row: str, start: float, seconds: float | None) -> None:
    """An offset is a start beside a duration and an end beside an onset; a duration is no rating."""
    (tmp_path / "a.csv").write_text(f"{header}\n{row}\n")
    clips = read_manifest(tmp_path / "a.csv")
    assert (clips.clips[0].start, clips.clips[0].seconds) == (start, seconds)
    assert clips.targets == ()


def test_columns_named_beside_the_csv(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Datei,Wer,take,Awe\na.wav,ann,1,0.5\n")
    with pytest.raises(UsageError, match="or name it in a.columns.json"):
        read_manifest(tmp_path / "a.csv")
    beside = tmp_path / "a.columns.json"
    beside.write_text('{"path": "Datei", "speaker": "Wer", "ratings": ["Awe"]}')
    clips = load("modulate-sonata", tmp_path / "a.csv")
    assert (clips.clips[0].speaker, clips.targets) == ("ann", ("Awe",))
    for content, expected in (
        ('{"path": "File"}', "unknown column 'File'"),
        ('{"pfad": "Datei"}', "did you mean 'path'"),
        ('{"path": 3}', "expected a name"),
        ('{"path": "Datei", "ratings": 3}', "expected a list of columns"),
        ("[]", "expected"),
        ("{", "a.columns.json"),
    ):
        beside.write_text(content)
        with pytest.raises(UsageError, match=expected):
            read_manifest(tmp_path / "a.csv")


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_manifests(tmp_path: Path, count: int) -> None:
    valid = (
        b"path,speaker,emotion,split,start,end,Awe\na.wav,s1,fear,dev,0.5,1.25,0.5\na.wav,s2,hype,train,1:02.5,63,\n"
    )
    fuzz(lambda path: load("manifest", path), tmp_path / "manifest.csv", [valid], count)
