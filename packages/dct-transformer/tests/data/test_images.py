"""Shipped pictures, folders and shards."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import OnePaperError
from PIL import Image

from dct_transformer.config import DataConfig
from dct_transformer.data.images import augment, open_images, open_path, photographs, resize


def test_stamps_have_classes_and_a_held_out_part() -> None:
    images = open_images(DataConfig(), 16, 16)
    assert len(images) == 549
    assert len(images.classes) == 15
    assert images[0].shape == (32, 32, 3)
    held_out, training = images.part(held_out=True), images.part(held_out=False)
    assert len(held_out) == 54
    assert not set(held_out.files) & set(training.files)


def test_photographs() -> None:
    found = photographs()
    assert len(found) == 32
    assert all(256 <= size <= 385 for image in found.values() for size in image.shape[:2])


def write_folder(root: Path) -> None:
    for index in range(20):
        folder = root / ("dog" if index % 2 else "cat")
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 20), (index, 0, 0)).save(folder / f"{index:02d}.png")


def test_folders_and_shards_are_the_same(tmp_path: Path) -> None:
    write_folder(tmp_path / "images")
    (tmp_path / "shards").mkdir()
    with tarfile.open(tmp_path / "shards" / "a.tar", "w") as shard:
        shard.add(tmp_path / "images", ".")
    folder = open_path(tmp_path / "images", (8, 8), check=True)
    for shards in (tmp_path / "shards", tmp_path / "shards" / "a.tar"):
        found = open_path(shards, (8, 8))
        assert found.classes == folder.classes == ("cat", "dog")
        assert found.labels == folder.labels
        for index in range(20):
            np.testing.assert_array_equal(found[index], folder[index])


def test_bad_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OnePaperError, match="does not exist"):
        open_path(tmp_path / "nowhere", (8, 8))
    with pytest.raises(OnePaperError, match="holds no images"):
        open_path(tmp_path, (8, 8))
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(OnePaperError, match="broken.png"):
        open_path(tmp_path, (8, 8), check=True)
    (tmp_path / "broken.tar").write_bytes(b"no archive")
    with pytest.raises(OnePaperError, match="broken.tar"):
        open_path(tmp_path / "broken.tar", (8, 8))


def test_augmentation_is_a_part_of_the_image() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, 16:] = 255
    config = DataConfig(zoom=1.0, flip=False)
    np.testing.assert_array_equal(augment(image, (16, 16), config, np.random.default_rng(0)), resize(image, (16, 16)))
    flipped = [
        augment(image, (16, 16), DataConfig(zoom=1.0), np.random.default_rng(seed))[0, 0, 0] for seed in range(40)
    ]
    assert 5 < sum(value > 128 for value in flipped) < 35


def test_resize_of_a_box() -> None:
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)[:, :, None].repeat(3, 2)
    np.testing.assert_array_equal(resize(image, (2, 3), (1, 4, 4, 6)), image[4:6, 1:4])
