"""Captioned pictures of the package and of a folder."""

import json
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from PIL import Image

from imagen3.config import DataConfig
from imagen3.data.pictures import Pictures, bucket_sampler, folder_pictures, load_pictures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(20):
        Image.new("RGB", (40, 30), (10 * number, 0, 0)).save(tmp_path / f"{number:02}.png")
        (tmp_path / f"{number:02}.txt").write_text(f"picture  number {number}\n", encoding="utf-8")
    return tmp_path


def test_selected_categories(pictures: Pictures) -> None:
    assert pictures.pixels.shape == (1572, 32, 32, 3)
    assert len(pictures.indices("train")) > len(pictures.indices("train", selected=True)) > 100
    assert all(sum(caption.original for caption in captions) == 1 for captions in pictures.captions)


def test_a_folder(folder: Path) -> None:
    found = load_pictures(DataConfig("folder", folder, size=16))
    assert found.pixels.shape == (20, 16, 16, 3)
    assert found.captions[3][0].text == "picture number 3"
    assert np.array_equal(found.indices("validation"), [9])
    assert np.array_equal(found.indices("test"), [19])
    assert (found.pixels[7] == (70, 0, 0)).all()


def test_wrong_folders(folder: Path) -> None:
    config = DataConfig("folder", folder, size=16)
    for content, expected in (
        (b"", "05.png has no caption"),
        (b"\xff\xfe\xff", "no UTF-8"),
        (b"a" * 10_001, "more than 10,000 bytes"),
    ):
        (folder / "05.txt").write_bytes(content)
        with pytest.raises(UsageError, match=expected):
            load_pictures(config)
    (folder / "05.txt").unlink()
    with pytest.raises(UsageError, match="05.png has no caption"):
        load_pictures(config)
    (folder / "05.png").write_bytes(b"no picture")
    with pytest.raises(UsageError, match="05.png is not a readable image"):
        load_pictures(config)
    with pytest.raises(UsageError, match="missing"):
        load_pictures(DataConfig("folder", folder / "missing"))
    for file in sorted(folder.glob("*.png"))[5:]:
        file.unlink()
    with pytest.raises(UsageError, match="no picture for validation"):
        load_pictures(config)


def test_aspect_ratios_and_weights(folder: Path) -> None:
    """Pictures go to the size of their ratio, without distortion; their weights are those of the manifest."""
    for number in (3, 4):
        Image.new("RGB", (20, 60), (10 * number, 0, 0)).save(folder / f"{number:02}.png")
    lines = [{"file": "x", "kept": f"{number:02}.png", "weight": 1 / (1 + number)} for number in range(20)]
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"file": "y", "kept": None}]))
    found = folder_pictures(DataConfig("folder", folder, size=32), 8)
    assert found.pixels[np.array([0])].shape == (1, 24, 40, 3)
    assert found.pixels[np.array([4, 3])].shape == (2, 64, 16, 3)
    assert (found.pixels[np.array([4])] == (40, 0, 0)).all()
    assert found.weights == [1 / (1 + number) for number in range(20)]
    batch = bucket_sampler(found, found.indices("train"), 4, seed=0)
    for step in range(batch.batches):
        assert len(found.pixels[found.indices("train")[batch(step)]]) == 4
    manifest.write_text(json.dumps(lines[0]) + "\n")
    with pytest.raises(UsageError, match="no weight of 01.png"):
        load_pictures(DataConfig("folder", folder, size=32))
    with pytest.raises(UsageError, match=r"in data.dataset 'folder' without data.remove-duplicates"):
        folder_pictures(DataConfig("folder", folder, size=32, remove_duplicates=True), 8)
