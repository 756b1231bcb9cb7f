"""Shards are read back by webdataset, bit by bit."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import webdataset
from onepaper.errors import OnePaperError, UsageError
from scipy.io import wavfile

from audio_datasets.data.clips import ClipSet
from audio_datasets.exports.shards import write_shards


def read(shards: list[Path]) -> list[dict]:
    return list(webdataset.WebDataset([str(path) for path in shards], shardshuffle=False))


def test_whole_files_keep_their_bytes(sounds: ClipSet, tmp_path: Path) -> None:
    shards = write_shards(tmp_path / "a", sounds, shard_bytes=50_000)
    assert len(shards) > 3
    found = read(shards)
    assert [sample["wav"] for sample in found] == [clip.path.read_bytes() for clip in sounds]
    records = [json.loads(sample["json"]) for sample in found]
    assert [record["id"] for record in records] == sounds.values("id")
    assert records[0]["label"] == "high"
    index = json.loads((tmp_path / "a" / "index.json").read_text())
    assert sum(index["shards"].values()) == 24
    write_shards(tmp_path / "b", sounds, shard_bytes=50_000)
    assert all((tmp_path / "b" / path.name).read_bytes() == path.read_bytes() for path in shards)


def test_parts_keep_their_samples(sounds: ClipSet, tmp_path: Path) -> None:
    clips = tuple(clip._replace(start=0.05, seconds=0.1, targets=(0.25, float("nan"))) for clip in sounds.clips[:3])
    parts = replace(sounds, clips=clips, targets=("x", "y"))
    for clip, sample in zip(clips, read(write_shards(tmp_path / "a", parts)), strict=True):
        rate, samples = wavfile.read(io.BytesIO(sample["wav"]))
        assert rate in (16_000, 22_050)
        np.testing.assert_array_equal(samples, clip.read())
        assert json.loads(sample["json"])["targets"] == {"x": 0.25, "y": None}


def test_refused(sounds: ClipSet, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"words")
    broken = replace(sounds, clips=(sounds.clips[0], sounds.clips[1]._replace(path=tmp_path / "a.wav")))
    with pytest.raises(UsageError, match=r"a.wav is not readable audio"):
        write_shards(tmp_path / "out", broken)
    assert not (tmp_path / "out").exists()
    with pytest.raises(OnePaperError, match="exists already"):
        write_shards(tmp_path, sounds)
