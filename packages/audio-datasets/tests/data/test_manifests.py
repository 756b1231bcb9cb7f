"""Manifests: columns by name, times in seconds, and proposals for trees."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.audio import write_wav
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from audio_datasets.data.loaders import load
from audio_datasets.data.manifests import propose_columns, propose_manifest, read_manifest, seconds_of


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
    [("12", 12.0), ("12.5", 12.5), ("1:02.5", 62.5), ("1:00:02", 3602.0), ("0 days 00:00:12.5", 12.5), ("", None)],
)
def test_times(cell: str, expected: float | None) -> None:
    """Bare numbers are seconds, not nanoseconds or samples."""
    assert seconds_of(cell, "x") == expected


@pytest.mark.parametrize("cell", ["-1", "1,5", "nan", "1s", "::"])
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


def test_proposal(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for actor in ("ann", "bob", "cid"):
            for emotion in ("fear", "hype"):
                folder = tmp_path / split / actor / emotion
                folder.mkdir(parents=True)
                write_wav(folder / "1.wav", np.zeros(10), 16_000)
    lines = list(propose_manifest(tmp_path))
    assert lines[0] == "path,speaker,label,split"
    assert lines[1] == "test/ann/fear/1.wav,ann,fear,test"
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    assert len(read_manifest(tmp_path)) == 12
    with pytest.raises(UsageError, match="is not a folder"):
        list(propose_manifest(tmp_path / "manifest.csv"))


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_manifests(tmp_path: Path, count: int) -> None:
    valid = (
        b"path,speaker,emotion,split,start,end,Awe\na.wav,s1,fear,dev,0.5,1.25,0.5\na.wav,s2,hype,train,1:02.5,63,\n"
    )
    fuzz(lambda path: load("manifest", path), tmp_path / "manifest.csv", [valid], count)
