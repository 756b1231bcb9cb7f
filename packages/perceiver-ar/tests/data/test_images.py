import re
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz
from PIL import Image

from perceiver_ar.config import EOS, SOS, DataConfig
from perceiver_ar.data.images import (
    ImageCodec,
    batch_images,
    crops,
    digits,
    image_codec,
    imagenet64,
    photos,
    read_image,
    user_images,
)

GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize("order", ["raster", "planes"])
def test_images_come_back(order: str) -> None:
    codec = ImageCodec(3, 5, 3, order=order)
    image = GENERATOR.integers(0, 256, (3, 5, 3), dtype=np.uint8)
    tokens = codec.encode(image)
    assert (tokens[0], tokens[-1], len(tokens)) == (SOS, EOS, 47)
    np.testing.assert_array_equal(codec.decode(tokens), image)
    assert codec.measure(tokens[1:]) == {"values": 45.0}
    assert len(codec.coordinates) == len(tokens) - 1
    # what stands at an input is the value of its column, row and channel
    for token, (column, row, channel) in zip(tokens[1:-1], codec.coordinates[1:], strict=True):
        assert token - 3 == image[row - 2, column - 2, channel - 2]


def test_only_values_may_follow() -> None:
    allowed = ImageCodec(2, 2, 1, 17).allowed
    assert allowed.tolist() == [[False] * 3 + [True] * 17]


def test_digits_are_split_once_for_all() -> None:
    corpus = digits(DataConfig("digits"))
    assert [len(part) for part in (corpus.train, corpus.validation, corpus.test)] == [1437, 180, 180]
    assert corpus.codec.vocab_size == 20
    assert max(document.max() for document in corpus.train) == 16 + 3


def test_crops_share_no_pixel_between_parts() -> None:
    numbered = np.arange(20 * 30 * 3).reshape(20, 30, 3).astype(np.uint8)
    assert len(crops(numbered, 10, 10)) == 6
    np.testing.assert_array_equal(crops(numbered, 10, 5)[1], numbered[:10, 5:15])
    corpus = photos(DataConfig("photos", side=32))
    # 427 x 640: 448 columns to learn from at steps of 16, then 96 and 96
    assert len(corpus.train) == 2 * 25 * 27
    assert len(corpus.validation) == len(corpus.test) == 2 * 13 * 3
    with pytest.raises(UsageError, match="side is 200, expected at most 96"):
        photos(DataConfig("photos", side=200))


def pictures(folder: Path, count: int, size: tuple[int, int] = (12, 9)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(np.full((*size, 3), number, np.uint8)).save(folder / f"{number:02}.png")


def test_own_pictures_are_dealt_out(tmp_path: Path) -> None:
    pictures(tmp_path, 20)
    corpus = user_images(DataConfig("images", tmp_path, side=4))
    parts = [[int(part[n][1]) - 3 for n in range(len(part))] for part in (corpus.train, corpus.validation, corpus.test)]
    assert [len(part) for part in parts] == [16, 2, 2]
    assert sorted(number for part in parts for number in part) == list(range(20))


def test_own_parts_are_kept(tmp_path: Path) -> None:
    for count, part in enumerate(("train", "validation", "test"), 1):
        pictures(tmp_path / part, count)
    corpus = user_images(DataConfig("images", tmp_path, side=4))
    assert [len(part) for part in (corpus.train, corpus.validation, corpus.test)] == [1, 2, 3]


def test_the_middle_of_a_picture_is_scaled(tmp_path: Path) -> None:
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = 200
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert (read_image(tmp_path / "wide.png", ImageCodec(8, 8)) == 200).all()


@pytest.mark.parametrize(("levels", "channels"), [(256, 3), (256, 1), (17, 1)])
@pytest.mark.parametrize("order", ["raster", "planes"])
def test_pictures_make_prompts(levels: int, channels: int, order: Any, tmp_path: Path) -> None:
    codec = ImageCodec(4, 6, channels, levels, order)
    image = GENERATOR.integers(0, levels, codec.shape, dtype=np.uint8)
    shown = np.round(image * (255 / (levels - 1))).astype(np.uint8)
    Image.fromarray(shown if channels == 3 else shown[..., 0]).save(tmp_path / "prompt.png")
    tokens = codec.encode(read_image(tmp_path / "prompt.png", codec))
    np.testing.assert_array_equal(tokens, codec.encode(image))
    np.testing.assert_array_equal(codec.decode(tokens), image)


def test_depth_and_orientation(tmp_path: Path) -> None:
    codec, ramp = ImageCodec(8, 8, 1), np.arange(64).reshape(8, 8)
    Image.fromarray((257 * ramp).astype(np.uint16)).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png", codec)[..., 0], ramp)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "turned.png", exif=turned)
    np.testing.assert_array_equal(read_image(tmp_path / "turned.png", codec)[..., 0], np.rot90(ramp, -1))


def test_imagenet_in_both_layouts(tmp_path: Path) -> None:
    pictures(tmp_path / "png" / "train_64x64", 3, (64, 64))
    pictures(tmp_path / "png" / "valid_64x64", 2, (64, 64))
    corpus = imagenet64(DataConfig("imagenet64", tmp_path / "png"))
    assert (len(corpus.train), len(corpus.test), len(corpus.train[0])) == (3, 2, 12_290)
    with pytest.raises(UsageError, match="holds neither"):
        imagenet64(DataConfig("imagenet64", tmp_path))


def npz_batches(folder: Path, *sizes: int) -> np.ndarray:
    """Files of the later version, in its order of members and numbers, and their images."""
    images = GENERATOR.integers(0, 256, (sum(sizes), 64, 64, 3), dtype=np.uint8)
    folder.mkdir()
    for number, part in enumerate(np.split(images, np.cumsum(sizes)[:-1]), 1):
        rows = np.ascontiguousarray(part.transpose(0, 3, 1, 2)).reshape(-1, 3 * 64 * 64)
        of_all: dict[str, Any] = {"labels": np.arange(len(rows)), "mean": rows.mean(axis=0)}
        np.savez(folder / f"train_data_batch_{number}.npz", data=rows, **of_all)
        np.savez(folder / "val_data.npz", **of_all, data=rows[::-1])
    return images


def test_imagenet_in_batches_is_mapped(tmp_path: Path) -> None:
    images = npz_batches(tmp_path / "npz", 3, 1, 2)
    corpus = imagenet64(DataConfig("imagenet64", tmp_path / "npz"))
    assert (len(corpus.train), len(corpus.validation), len(corpus.train.sizes)) == (6, 2, 6)
    codec = image_codec(DataConfig("imagenet64"))
    for number, image in enumerate(images):
        np.testing.assert_array_equal(codec.decode(corpus.train[number]), image)
    np.testing.assert_array_equal(codec.decode(corpus.test[0]), images[5])
    with pytest.raises(IndexError):
        corpus.train[6]
    tracemalloc.start()
    batch_images(tmp_path / "npz" / "train_data_batch_1.npz")
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < images[:3].nbytes


def test_bad_batches_raise_one_line(tmp_path: Path) -> None:
    npz_batches(tmp_path / "npz", 2)
    path = tmp_path / "npz" / "val_data.npz"
    rows = np.zeros((2, 3 * 64 * 64), np.uint8)
    for wrong in (rows[:, :9], rows.astype(np.int32), rows[0]):
        np.savez(path, data=wrong)
        with pytest.raises(UsageError, match=re.escape("expected uint8 of shape (images, 12288)")):
            imagenet64(DataConfig("imagenet64", tmp_path / "npz"))
    np.savez_compressed(path, data=rows)
    with pytest.raises(UsageError, match=re.escape("val_data.npz is compressed and cannot be memory-mapped")):
        batch_images(path)
    np.savez(path, labels=rows)
    with pytest.raises(UsageError, match="is damaged or no file of arrays"):
        batch_images(path)
    np.savez(path, data=rows)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UsageError, match="is damaged or no file of arrays"):
        batch_images(path)


def test_bad_pictures_raise_one_line(tmp_path: Path) -> None:
    config = DataConfig("images", tmp_path, side=4)
    with pytest.raises(UsageError, match="holds no images"):
        user_images(config)
    pictures(tmp_path, 3)
    with pytest.raises(UsageError, match="holds 3 images, expected at least 10"):
        user_images(config)
    (tmp_path / "00.png").write_text("no picture")
    with pytest.raises(UsageError, match="00.png is not a readable image"):
        read_image(tmp_path / "00.png", ImageCodec(4, 4))
    pictures(tmp_path / "more", 10)
    with pytest.raises(UsageError, match="00.png is not a readable image"):
        user_images(config)  # before a training starts
    with pytest.raises(UsageError, match="is not a folder"):
        user_images(replace(config, path=tmp_path / "none"))
    with pytest.raises(
        UsageError, match=re.escape("an image is uint8 of shape (2, 2, 3), expected uint8 of (4, 4, 3)")
    ):
        image_codec(config).encode(np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(UsageError, match="has the value 17"):
        ImageCodec(1, 1, 1, 17).encode(np.full((1, 1, 1), 17, np.uint8))


@pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_batches(tmp_path: Path, count: int) -> None:
    batch = tmp_path / "train_data_batch_1.npz"
    np.savez(batch, data=np.zeros((2, 3 * 64 * 64), np.uint8), labels=np.arange(2))
    fuzz(batch_images, batch, [batch.read_bytes()], count)
