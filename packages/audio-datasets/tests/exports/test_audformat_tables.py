"""Databases are read back by audformat."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audio_datasets.data.clips import ClipSet
from audio_datasets.exports.audformat_tables import TABLE, write_audformat

audformat = pytest.importorskip("audformat")


def test_round_trip(sounds: ClipSet, tmp_path: Path) -> None:
    first = sounds.clips[0]._replace(start=0.125, seconds=0.1, targets=(0.5,), country="China")
    clips = replace(sounds, clips=(first, *sounds.clips[1:]), targets=("x",))
    assert write_audformat(tmp_path / "out", clips, "CC0-1.0") == 24
    database = audformat.Database.load(str(tmp_path / "out"))
    assert database.license == "CC0-1.0"
    table = database[TABLE].get()
    files, starts, ends = zip(*table.index, strict=True)
    assert [Path(file) for file in files] == clips.values("path")
    assert starts[0].total_seconds() == 0.125
    assert ends[0].total_seconds() == 0.225
    assert str(ends[1]) == "NaT"
    for name in ("id", "speaker", "label", "split"):
        assert table[name].tolist() == clips.values(name)
    np.testing.assert_array_equal(table["x"].astype(float), clips.ratings()[:, 0])
    assert table["country"].tolist()[0] == "China"
    assert database.schemes["label"].labels == list(clips.classes)
