"""Captioned pictures of the package and of a folder."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from PIL import Image

from imagen3.config import DataConfig
from imagen3.data.pictures import Pictures, load_pictures


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
    for content, expected in ((b"", "0 bytes"), (b"\xff\xfe\xff", "no UTF-8"), (b"a" * 10_001, "10,001 bytes")):
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
