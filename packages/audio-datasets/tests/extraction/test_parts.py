"""Parts of clips and of shards."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import OnePaperError, UsageError
from onepaper.testing.mutations import fuzz

from audio_datasets.data.clips import ClipSet
from audio_datasets.exports.shards import write_shards
from audio_datasets.extraction.parts import parts_of_clips, parts_of_shards, select


def test_clips(sounds: ClipSet) -> None:
    source = parts_of_clips(sounds, 10)
    assert [len(part.clips) for part in source.parts] == [10, 10, 4]
    found = [pair for part in source.parts for pair in part.waveforms(16_000, 0.3)]
    assert [name for name, _ in found] == sounds.values("id")
    for (_, samples), clip in zip(found, sounds, strict=True):
        np.testing.assert_array_equal(samples, clip.read(16_000, 0.3))
    assert source.digest == parts_of_clips(sounds, 10).digest
    moved = replace(sounds, clips=(sounds.clips[0]._replace(start=0.1), *sounds.clips[1:]))
    assert len({source.digest, parts_of_clips(sounds, 9).digest, parts_of_clips(moved, 10).digest}) == 3
    assert [part.number for part in select(source.parts, [1])] == [0, 2]


def test_shards(sounds: ClipSet, tmp_path: Path) -> None:
    """Parts of files and whole files, of both rates, as they were before they went into shards."""
    first = sounds.clips[0]._replace(id="part", start=0.1, seconds=0.2)
    clips = replace(sounds, clips=(first, *sounds.clips))
    write_shards(tmp_path / "shards", clips, shard_bytes=50_000)
    source = parts_of_shards(tmp_path / "shards")
    assert len(source.parts) > 3
    found = [pair for part in source.parts for pair in part.waveforms(16_000, 10)]
    assert [name for name, _ in found] == clips.values("id")
    for (_, samples), clip in zip(found, clips, strict=True):
        np.testing.assert_array_equal(samples, clip.read(16_000))


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def test_shards_of_others(sounds: ClipSet, tmp_path: Path) -> None:
    """Without records, with records first, with members of other kinds, and with names that lead outside."""
    sound = sounds.clips[0].path.read_bytes()
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("folder"))
        add(tar, "../../etc/one.cls", b"3")
        add(tar, "../../etc/one.WAV", sound)
        add(tar, "two.json", json.dumps({"id": "named"}).encode())
        add(tar, "two.wav", sound)
        add(tar, "three.txt", b"no audio")
        add(tar, "four.json", b"[")
        add(tar, "four.wav", b"RIFF")
        link = tarfile.TarInfo("five.wav")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    (part,) = parts_of_shards(tmp_path).parts
    found = list(part.waveforms(16_000, 10))
    assert [name for name, _ in found] == ["../../etc/one", "named", "four"]
    np.testing.assert_array_equal(found[0][1], found[1][1])
    assert "a.tar, four is not readable audio" in str(found[2][1])
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


def test_no_shards(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError, match="holds no shards"):
            parts_of_shards(folder)


@pytest.mark.parametrize("count", [100, pytest.param(5_000, marks=pytest.mark.slow)])
def test_damaged_shards(sounds: ClipSet, tmp_path: Path, count: int) -> None:
    (valid,) = write_shards(tmp_path / "valid", replace(sounds, clips=sounds.clips[:2]))
    folder = tmp_path / "damaged"
    folder.mkdir()

    def read(path: Path) -> None:
        for part in parts_of_shards(path.parent).parts:
            for _, found in part.waveforms(16_000, 1):
                assert isinstance(found, OnePaperError) or np.isfinite(found).all()

    fuzz(read, folder / "a.tar", [valid.read_bytes()], count)
