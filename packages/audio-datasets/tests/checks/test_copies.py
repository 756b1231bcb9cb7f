"""What a check finds in good and in broken copies."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from onepaper.audio import write_wav

from audio_datasets.catalogue.records import Record
from audio_datasets.checks.copies import check_clips
from audio_datasets.data.clips import Clip, ClipSet


def texts(clips: ClipSet, record: Record | None = None, *, fatal: bool = False) -> str:
    found = list(check_clips(clips, record))
    assert any(finding.fatal for finding in found) == fatal
    return "\n".join(finding.text for finding in found if finding.differs)


def test_good_copy(sounds: ClipSet) -> None:
    assert texts(sounds) == ""
    record = Record("x", "X", "speech", clips=24, speakers=6, splits={"train": 12, "validation": 4, "test": 8})
    assert texts(sounds, record) == ""


def test_other_numbers(sounds: ClipSet) -> None:
    record = Record("x", "X", "speech", hours=1.0, clips=25, speakers=7, splits={"train": 13})
    found = texts(sounds, record)
    for words in ("published are 25", "published are 7", "published are train 13", "published are 1.00 hours"):
        assert words in found


def test_leakage_and_copies(sounds: ClipSet, tmp_path: Path) -> None:
    copy = shutil.copy(sounds.clips[0].path, tmp_path / "copy.wav")
    leak = sounds.clips[0]._replace(id="leak", path=Path(copy), split="test")
    found = texts(replace(sounds, clips=(*sounds.clips, leak)))
    assert "1 speakers are in several splits, first speaker-0" in found
    assert "1 files are byte-identical copies" in found
    assert "1 contents are in several splits" in found


def test_unreadable_files(sounds: ClipSet, tmp_path: Path) -> None:
    good = sounds.clips[0].path.read_bytes()
    for name, content in {"empty": b"", "header": good[:44], "text": b"words"}.items():
        (tmp_path / f"{name}.wav").write_bytes(content)
    bad = tuple(Clip(path.stem, path, "s", "train") for path in sorted(tmp_path.glob("*.wav")))
    missing = Clip("missing", tmp_path / "missing.wav", "s", "train")
    found = texts(replace(sounds, clips=(*sounds.clips, *bad, missing)), fatal=True)
    assert "4 of 28 files cannot be read" in found


def test_ratings_out_of_range(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.full(100, 0.1), 16_000)
    clips = ClipSet("x", (Clip("a", path, "s", targets=(57.0,)),), ("Awe",))
    assert "expected 0 to 1" in texts(clips)
    assert "no clip has ratings" in texts(ClipSet("x", (Clip("a", path, "s"),), ("Awe",)), fatal=True)


def test_parts_that_are_not_in_their_file(sounds: ClipSet) -> None:
    first = sounds.clips[0]  # 0.4 s long
    parts = [
        first._replace(id=f"part{n}", start=start, seconds=1.0 if n else None)
        for n, start in enumerate((0.0, 0.2, 0.5))
    ]
    found = texts(replace(sounds, clips=tuple(parts)), fatal=True)
    assert "1 clips begin after the end of their file, first part2" in found
    assert "1 clips end after the end of their file, first part1" in found
    assert texts(replace(sounds, clips=(first._replace(seconds=0.405),))) == ""  # rounded in a table
