"""Arrow files are read back by datasets, bit by bit."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from onepaper.errors import OnePaperError, UsageError

from audio_datasets.data.clips import ClipSet
from audio_datasets.exports.arrow import write_arrow
from audio_datasets.exports.encoding import audio_bytes

datasets = pytest.importorskip("datasets")


def test_round_trip(sounds: ClipSet, tmp_path: Path) -> None:
    assert write_arrow(tmp_path / "out", sounds) == 24
    found = datasets.load_from_disk(str(tmp_path / "out"))
    assert [row["audio"]["bytes"] for row in found] == [clip.path.read_bytes() for clip in sounds]
    assert found["id"][:] == sounds.values("id")
    assert found.features["label"].names == list(sounds.classes)
    assert found["label"][:] == sounds.labels().tolist()
    assert found.features["audio"] == datasets.Audio(decode=False)
    with pytest.raises(OnePaperError, match="exists already"):
        write_arrow(tmp_path / "out", sounds)


def test_parts_and_ratings(sounds: ClipSet, tmp_path: Path) -> None:
    clips = tuple(clip._replace(start=0.05, seconds=0.1, label="", targets=(0.25, float("nan"))) for clip in sounds)
    parts = replace(sounds, clips=clips, targets=("x", "y"))
    write_arrow(tmp_path / "out", parts)
    found = datasets.load_from_disk(str(tmp_path / "out"))
    assert found[0]["audio"]["bytes"] == audio_bytes(clips[0])[1]
    assert (found[0]["x"], found[0]["y"], found[0]["label"]) == (0.25, None, None)


def test_without_the_library(sounds: ClipSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UsageError, match="pip install"):
        write_arrow(tmp_path / "out", sounds)
    assert not (tmp_path / "out").exists()
