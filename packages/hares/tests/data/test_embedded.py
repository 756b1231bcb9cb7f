"""Embedded clips are whole and sound like their labels where that can be measured."""

import numpy as np
import pytest
from onepaper.data import embedded

from hares.data.embedded import SETS, embedded_clips


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
