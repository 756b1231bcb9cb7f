"""Hume-Prosody from a synthetic copy of the published layout."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from audio_datasets.data.loaders import load
from audio_datasets.tasks.definitions import PROSODY_EMOTIONS


def write(root: Path, **files: str) -> None:
    (root / "lab").mkdir(exist_ok=True)
    for name, content in files.items():
        (root / "lab" / f"{name}.csv").write_text(content)


def test_labels(tmp_path: Path) -> None:
    header = f"filename,{','.join(PROSODY_EMOTIONS)}\n"
    row = ",".join(["0.25"] * 9)
    write(
        tmp_path,
        train=f"{header}train_1.wav,{row}\n",
        devel=f"{header}devel_1.wav,{row}\n",
        test="filename\ntest_1.wav\n",
    )
    clips = load("hume-prosody", tmp_path)
    assert [clip.split for clip in clips] == ["train", "validation", "test"]
    assert clips.clips[0].path == tmp_path / "wav" / "train_1.wav"
    assert clips.ratings()[0].tolist() == [0.25] * 9
    assert np.isnan(clips.ratings()[2]).all()


def test_masked_labels(tmp_path: Path) -> None:
    header = f"filename,{','.join(PROSODY_EMOTIONS)}\n"
    row, masked = ",".join(["0.25"] * 9), ",".join(["?"] * 9)
    write(tmp_path, train=f"{header}a.wav,{row}\n", devel=f"{header}b.wav,{row}\n", test=f"{header}c.wav,{masked}\n")
    assert np.isnan(load("hume-prosody", tmp_path).ratings()[2]).all()


def test_wrong_labels(tmp_path: Path) -> None:
    write(tmp_path, train="name,Anger\n")
    with pytest.raises(UsageError, match="has no column 'filename'"):
        load("hume-prosody", tmp_path)
    write(tmp_path, train="filename,Anger\n")
    with pytest.raises(UsageError, match="unknown column 'Boredom'"):
        load("hume-prosody", tmp_path)


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_tables(tmp_path: Path, count: int) -> None:
    valid = f"filename,{','.join(PROSODY_EMOTIONS)}\na.wav,{','.join(['0.25'] * 9)}\n"
    write(tmp_path, train=valid, devel=valid.replace("a.wav", "b.wav"))
    fuzz(lambda _: load("hume-prosody", tmp_path), tmp_path / "lab" / "train.csv", [valid.encode()], count)


def test_oddities_of_the_official_code(prosody: Path, tmp_path: Path) -> None:
    """Names are in the first column; the organisers have labels of the test split beside the masked ones."""
    (tmp_path / "lab").mkdir()
    for path in (prosody / "lab").iterdir():
        (tmp_path / "lab" / path.name).write_text(path.read_text())
    known = (prosody / "lab" / "test.csv").read_text().replace("?", "0.5")
    (tmp_path / "lab" / "test.unmasked.csv").write_text(known)
    assert np.isnan(load("hume-prosody", tmp_path).split("test").ratings()).all()
    assert (load("hume-prosody", tmp_path, strict_official=True).split("test").ratings() == 0.5).all()
    moved = "\n".join(",".join(line.split(",")[::-1]) for line in known.splitlines())
    (tmp_path / "lab" / "train.csv").write_text(moved)
    with pytest.raises(UsageError, match="has no column 'filename', expected it; it has 'Tiredness'"):
        load("hume-prosody", tmp_path, strict_official=True)
