"""Bytes and records of clips."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from scipy.io import wavfile

from audio_datasets.data.clips import ClipSet
from audio_datasets.exports.encoding import audio_bytes, clip_record


def test_bytes(sounds: ClipSet, tmp_path: Path) -> None:
    clip = sounds.clips[1]
    assert audio_bytes(clip) == ("wav", clip.path.read_bytes())
    part = clip._replace(start=0.1, seconds=0.05)
    rate, samples = wavfile.read(io.BytesIO(audio_bytes(part)[1]))
    assert rate == 22_050
    np.testing.assert_array_equal(samples, part.read())
    with pytest.raises(UsageError, match="missing.wav"):
        audio_bytes(clip._replace(path=tmp_path / "missing.wav"))


def test_record(sounds: ClipSet) -> None:
    clips = replace(sounds, targets=("x", "y"))
    record = clip_record(clips.clips[0]._replace(targets=(0.5, float("nan"))), clips)
    assert record["targets"] == {"x": 0.5, "y": None}
    assert (record["path"], record["dataset"]) == ("0.wav", "sounds")
    assert clip_record(clips.clips[0], clips)["targets"] == {}
