"""The default set: classes from lines, splits of voices, copies."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
from onepaper.errors import UsageError

from audio_datasets.data.clips import overlap
from audio_datasets.data.examples.hedgewars import FOLDER, class_of, distinct, load_voices, shipped_voices


def test_classes() -> None:
    assert class_of(Path("Ow4.ogg")) == "pain"
    assert class_of(Path("Uh-oh.ogg")) == "alarm"
    assert class_of(Path("Hello.ogg")) == ""


def test_shipped_voices() -> None:
    clips = shipped_voices()
    assert len({clip.speaker for clip in clips}) == 15
    voices = {split: {clip.speaker for clip in clips.split(split)} for split in ("train", "validation", "test")}
    assert [len(names) for names in voices.values()] == [9, 3, 3]
    assert not overlap(clips)
    assert not overlap(clips, "group")
    assert set(Counter(clip.label for clip in clips)) == set(clips.classes)
    assert len(distinct(clips.values("path"))) == len(clips)
    assert 0.1 < len(clips.clips[0].read(16_000)) / 16_000 < 10


def test_folders(tmp_path: Path) -> None:
    """The root of a package, a copy in one voice, and a file twice."""
    source = shipped_voices().clips[0].path
    voice = tmp_path / FOLDER / "Pirate"
    voice.mkdir(parents=True)
    for name in ("Ow1.ogg", "Ow2.ogg"):
        shutil.copy(source, voice / name)
    assert [clip.id for clip in load_voices(tmp_path)] == ["Pirate/Ow1"]
    assert [clip.id for clip in load_voices(voice.parent)] == ["Pirate/Ow1"]
    with pytest.raises(UsageError, match="holds no voices"):
        load_voices(voice)
