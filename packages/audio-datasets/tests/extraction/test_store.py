"""The folder of features."""

import json
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from audio_datasets.data.clips import Clip, ClipSet
from audio_datasets.extraction.store import (
    MANIFEST,
    Manifest,
    iterate_features,
    read_features,
    stored_features,
    write_part,
)

HEAD = {"source": "x", "digest": "0", "parts": 2, "names": ["a", "b"]}


def filled(folder: Path) -> Path:
    manifest = Manifest(folder, HEAD)
    manifest.add(write_part(folder, 1, ["s"], [np.array([5, 6], np.float32)], 2))
    skipped = (("broken", "it is damaged"),)
    rows = [np.array([1, 2], np.float32), np.array([3, 4], np.float32)]
    manifest.add(write_part(folder, 0, ["q", "r"], rows, 2)._replace(skipped=skipped))
    return folder


def test_table(tmp_path: Path) -> None:
    table = read_features(filled(tmp_path / "a"))
    assert (table.ids, table.names, table.skipped) == (("q", "r", "s"), ("a", "b"), {"broken": "it is damaged"})
    clips = ClipSet("x", tuple(Clip(name, Path(name)) for name in ("s", "q")))
    np.testing.assert_array_equal(table.matrix(clips), [[5, 6], [1, 2]])
    with pytest.raises(UsageError, match="1 clips have no features, first 'broken': it is damaged"):
        table.matrix(ClipSet("x", (Clip("broken", Path("b")),)))


def test_half_a_line_is_forgotten(tmp_path: Path) -> None:
    path = filled(tmp_path / "a") / MANIFEST
    path.write_text(path.read_text()[:-10])
    with pytest.raises(UsageError, match="has 1 of 2 parts"):
        list(iterate_features(tmp_path / "a"))
    manifest = Manifest(tmp_path / "a", HEAD)
    assert [part.number for part in manifest.finished] == [1]
    manifest.add(write_part(tmp_path / "a", 0, [], [], 2))
    assert read_features(tmp_path / "a").ids == ("s",)


def test_other_folders(tmp_path: Path) -> None:
    folder = filled(tmp_path / "a")
    with pytest.raises(UsageError, match="digest: '1' here, '0' there"):
        Manifest(folder, HEAD | {"digest": "1"})
    with pytest.raises(UsageError, match="has other files"):
        Manifest(tmp_path, HEAD)
    with pytest.raises(UsageError, match="manifest.jsonl is missing"):
        read_features(tmp_path)
    (folder / "part-000001.npz").unlink()
    with pytest.raises(UsageError, match="has 1 of 2 parts"):
        read_features(folder)
    write_part(folder, 1, ["r"], [np.zeros(2, np.float32)], 2)
    with pytest.raises(UsageError, match="differs from what was written"):
        read_features(folder)


def test_an_id_that_is_there_twice(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "a", HEAD | {"parts": 2})
    for number in range(2):
        manifest.add(write_part(tmp_path / "a", number, ["q"], [np.zeros(2, np.float32)], 2))
    with pytest.raises(UsageError, match="has the clip 'q' twice"):
        read_features(tmp_path / "a")


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_manifests(tmp_path: Path, count: int) -> None:
    folder = filled(tmp_path / "a")
    valid = (folder / MANIFEST).read_bytes()
    json.loads(valid.splitlines()[0])
    fuzz(lambda path: read_features(path.parent), folder / MANIFEST, [valid], count)


def test_stored_features_of_both_kinds(tmp_path: Path) -> None:
    """An extraction, and the same numbers as the CSV of a release."""
    folder = filled(tmp_path / "a")
    table = read_features(folder)
    clips = ClipSet("a", tuple(Clip(name, tmp_path) for name in reversed(table.ids)))
    rows = [f"{name},{','.join(map(str, row))}" for name, row in zip(table.ids, table.values, strict=True)]
    (tmp_path / "features.csv").write_text("\n".join(["name," + ",".join(table.names), *rows]))
    for path in (folder, tmp_path / "features.csv"):
        np.testing.assert_array_equal(stored_features(path, clips), table.values[::-1])
