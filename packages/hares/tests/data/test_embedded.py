"""Embedded clips are whole and sound like their labels where that can be measured."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.audio import write_wav
from onepaper.data import embedded
from onepaper.errors import UsageError

from hares.data.embedded import SETS, embedded_clips, read_set


@pytest.mark.parametrize(
    ("name", "label", "count"), [("sounds", "kind", 94), ("syllables", "vowel", 464), ("notes", "family", 994)]
)
def test_sets(name: str, label: str, count: int) -> None:
    clips = embedded_clips(name, label)
    assert len(clips) == count
    assert name in SETS
    assert len({clip.name for clip in clips}) == count
    for clip in clips:
        assert 0.05 < np.abs(clip.samples).max() < 1.0
    for file in ("copyright.txt", "GPL-2.txt"):
        assert embedded("hares", f"{name}/{file}").stat().st_size > 500


def test_notes_have_their_pitch() -> None:
    # The flute (program 73) has a strong fundamental.
    for clip in embedded_clips("notes", "pitch"):
        if clip.group == "program-073":
            spectrum = np.abs(np.fft.rfft(clip.samples * np.hanning(len(clip.samples)), 1 << 16))
            expected = 440.0 * 2 ** ((int(clip.label) - 69) / 12)
            found = np.argmax(spectrum) * 16_000 / (1 << 16)
            assert min(abs(found / (expected * multiple) - 1) for multiple in (1, 2, 3)) < 0.03


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("a,0,100,g,0,x", ""),
        ("a,0,101,g,0,x", "beyond the audio"),
        ("a,-1,10,g,0,x", "beyond the audio"),
        ("a,0,ten,g,0,x", "has no clip in"),
        ("a,0,10", "has no clip in"),
    ],
)
def test_tables_of_other_people(row: str, expected: str, tmp_path: Path) -> None:
    audio, table = write_wav(tmp_path / "a.wav", np.zeros(100, np.float32), 16_000), tmp_path / "a.csv"
    table.write_text(f"name,start,frames,group,fold,kind\n{row}\n")
    if expected:
        with pytest.raises(UsageError, match=expected):
            read_set(audio, table, "kind")
    else:
        assert len(read_set(audio, table, "kind")[0].samples) == 100
    table.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="not a readable CSV"):
        read_set(audio, table.rename(tmp_path / "b.csv"), "kind")
