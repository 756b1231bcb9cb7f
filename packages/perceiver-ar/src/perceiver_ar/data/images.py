"""Images as sequences of values: digits, crops of photographs, folders of images, ImageNet at 64 x 64 pixels."""

import os
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int, UInt8
from onepaper import images
from onepaper.data import data_root
from onepaper.errors import UsageError
from onepaper.fingerprint.marks import unmeasured
from onepaper.foreign.pickles import explain_damage

from perceiver_ar.config import RESERVED, DataConfig
from perceiver_ar.data.corpus import PARTS, SPLIT_SEED, Corpus, InMemory, OnDisk, Tokens, document

PixelOrder = Literal["raster", "planes"]


Images = UInt8[np.ndarray, "_ height width channels"]


# Fractions of the digits for training and validation.
TRAIN_SHARE, VALIDATION_SHARE = 0.8, 0.1


# Columns of the photographs, as fractions, at which validation and test begin.
PHOTO_CUTS = (0.7, 0.85)


class ImageCodec:
    """Values in raster order or plane by plane, with one vocabulary for all channels.

    Args:
        height: rows.
        width: columns.
        channels: values of a pixel.
        levels: number of values; 256 for bytes.
        order: as in `DataConfig`.
    """

    def __init__(
        self, height: int, width: int, channels: int = 3, levels: int = 256, order: PixelOrder = "raster"
    ) -> None:
        self.height, self.width, self.channels, self.levels = height, width, channels, levels
        self.order: PixelOrder = order
        self.vocab_size = levels + RESERVED

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, channels."""
        return self.height, self.width, self.channels

    @property
    def coordinates(self) -> Int[np.ndarray, "inputs 3"]:
        """Column, row and channel of SOS and of every value."""
        return image_coordinates(*self.shape, order=self.order)

    @property
    def allowed(self) -> Bool[np.ndarray, "1 vocab"]:
        """All values and no reserved id: an image does not end early."""
        return (np.arange(self.vocab_size) >= RESERVED)[None]

    def encode(self, image: UInt8[np.ndarray, "height width channels"]) -> Tokens:
        """SOS, values, EOS.

        Raises:
            UsageError: another shape or kind of number.
        """
        if image.shape != self.shape or image.dtype != np.uint8:
            raise UsageError(f"an image is {image.dtype} of shape {image.shape}, expected uint8 of {self.shape}")
        if image.max(initial=0) >= self.levels:
            raise UsageError(f"an image has the value {image.max()}, expected values below {self.levels}")
        return document((image if self.order == "raster" else np.moveaxis(image, 2, 0)).ravel())

    def decode(self, tokens: Tokens) -> UInt8[np.ndarray, "height width channels"]:
        """The image; missing values at the end are 0."""
        values = np.zeros(self.height * self.width * self.channels, np.uint8)
        found = (tokens[tokens >= RESERVED] - RESERVED)[: len(values)]
        values[: len(found)] = found
        if self.order == "raster":
            return values.reshape(self.shape)
        return np.moveaxis(values.reshape(self.channels, self.height, self.width), 0, 2)

    def measure(self, tokens: Tokens) -> dict[str, float]:
        """Values."""
        return {"values": float((tokens >= RESERVED).sum())}

    def saved_files(self) -> dict[str, bytes]:
        """Nothing."""
        return {}


def image_codec(config: DataConfig) -> ImageCodec:
    """The codec of a dataset of images."""
    if config.dataset == "digits":
        return ImageCodec(8, 8, 1, 17, config.order)
    side = 64 if config.dataset == "imagenet64" else config.side
    return ImageCodec(side, side, order=config.order)


@lru_cache(maxsize=1)
def digit_images() -> Images:
    """1,797 handwritten digits, 8 x 8 pixels in 17 levels, shuffled with a fixed seed."""
    from sklearn.datasets import load_digits

    pixels = np.asarray(load_digits(return_X_y=True)[0], np.uint8).reshape(-1, 8, 8, 1)
    return pixels[np.random.default_rng(SPLIT_SEED).permutation(len(pixels))]


def digits(config: DataConfig) -> Corpus:
    """Handwritten digits, split at random."""
    found = digit_images()
    cuts = [int(len(found) * TRAIN_SHARE), int(len(found) * (TRAIN_SHARE + VALIDATION_SHARE))]
    return in_memory(image_codec(config), *np.split(found, cuts))


def crops(photo: UInt8[np.ndarray, "rows columns 3"], side: int, step: int) -> Images:
    """Square crops at every `step` pixels."""
    views = np.lib.stride_tricks.sliding_window_view(photo, (side, side), axis=(0, 1))[::step, ::step]
    return np.ascontiguousarray(np.moveaxis(views, 2, -1)).reshape(-1, side, side, 3)


def photos(config: DataConfig) -> Corpus:
    """Crops of scikit-learn's two photographs (427 x 640): the left for training, the right held out.

    Training crops overlap by half, held-out crops do not overlap; no pixel is in two parts.
    """
    from sklearn.datasets import load_sample_images

    side = config.side
    parts: list[list[np.ndarray]] = [[], [], []]
    for photo in load_sample_images().images:
        cuts = [0, *(int(photo.shape[1] * share) for share in PHOTO_CUTS), photo.shape[1]]
        if side > min(photo.shape[0], cuts[2] - cuts[1]):
            raise UsageError(f"side is {side}, expected at most {cuts[2] - cuts[1]} for crops of these photographs")
        for part, first, last in zip(parts, cuts[:-1], cuts[1:], strict=True):
            part.append(crops(photo[:, first:last], side, max(1, side // 2) if part is parts[0] else side))
    return in_memory(image_codec(config), *(np.concatenate(part) for part in parts))


def in_memory(codec: ImageCodec, *parts: Images) -> Corpus:
    """Three parts of images."""
    return Corpus(codec, *(InMemory(codec.encode(image) for image in part) for part in parts))


def read_image(path: Path, codec: ImageCodec) -> UInt8[np.ndarray, "height width channels"]:
    """An image file, centre-cropped and scaled to the shape and levels of the codec.

    Raises:
        UsageError: not a readable image file.
    """
    values = images.read_image(path, channels=1 if codec.channels == 1 else 3, size=(codec.height, codec.width))
    return np.round(values * ((codec.levels - 1) / 255)).astype(np.uint8)


@unmeasured
def user_images(config: DataConfig) -> Corpus:
    """A folder of images: with subfolders `train`, `validation` and `test`, or split 80/10/10 at random (fixed seed).

    Raises:
        UsageError: no folder, an unreadable image, or fewer than ten.
    """
    assert config.path is not None
    folder = config.path
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; give a folder of images")
    codec = image_codec(config)
    size = (codec.height, codec.width)
    if all((folder / part).is_dir() for part in PARTS):
        parts = [images.readable_images(images.image_files(folder / part), size=size) for part in PARTS]
    else:
        files = images.readable_images(images.image_files(folder), size=size)
        if len(files) < 10:
            raise UsageError(f"{folder} holds {len(files)} images, expected at least 10: a fifth is held out")
        order = np.random.default_rng(SPLIT_SEED).permutation(len(files))
        cuts = [int(len(files) * TRAIN_SHARE), int(len(files) * (TRAIN_SHARE + VALIDATION_SHARE))]
        parts = [[files[number] for number in part] for part in np.split(order, cuts)]
    return on_disk(codec, parts)


def on_disk(codec: ImageCodec, parts: Sequence[Sequence[Path]]) -> Corpus:
    """Three parts of image files, read when needed."""
    size = codec.height * codec.width * codec.channels + 2

    def read(path: Path) -> Tokens:
        return codec.encode(read_image(path, codec))

    return Corpus(codec, *(OnDisk(files, [size] * len(files), read, keep=4096) for files in parts))


@unmeasured
def imagenet64(config: DataConfig) -> Corpus:
    """A local copy of ImageNet at 64 x 64 pixels; its validation part is also the test part, as in the literature.

    Either folders of PNG files, `train_64x64` and `valid_64x64` (the version of published bits/dim), or the later
    version's `train_data_batch_1.npz` to `_10.npz` and `val_data.npz`, whose bits/dim are not comparable.

    Raises:
        UsageError: neither is there.
    """
    root = data_root("imagenet64", config.path)
    codec = image_codec(config)
    if (root / "train_64x64").is_dir():
        held_out = images.image_files(root / "valid_64x64")
        return on_disk(codec, [images.image_files(root / "train_64x64"), held_out, held_out])
    batches = sorted(root.glob("train_data_batch_*.npz"))
    if not batches or not (root / "val_data.npz").is_file():
        raise UsageError(
            f"{root} holds neither train_64x64 and valid_64x64 with PNG files nor train_data_batch_*.npz and "
            "val_data.npz"
        )
    held_out = batches_on_disk(codec, [root / "val_data.npz"])
    return Corpus(codec, batches_on_disk(codec, batches), held_out, held_out)


def batches_on_disk(codec: ImageCodec, paths: Sequence[Path]) -> OnDisk:
    """The images of several .npz batches as one sequence of documents."""
    batches = [batch_images(path) for path in paths]
    ends = np.cumsum([len(batch) for batch in batches])
    size = codec.height * codec.width * codec.channels + 2

    def read(number: int) -> Tokens:
        batch = int(np.searchsorted(ends, number, side="right"))
        return codec.encode(batches[batch][number - ends[batch]])  # counted from the end of its batch

    return OnDisk(range(ends[-1]), [size] * int(ends[-1]), read)


def batch_images(path: Path) -> Images:
    """The images of one .npz batch (rows of red, green and blue planes), memory-mapped.

    The batches have 15 GB in all, and numpy does not map arrays inside an archive, so the offset is looked up here.

    Raises:
        UsageError: damaged, compressed, or of another shape.
    """
    with explain_damage(path), path.open("rb") as file:
        with zipfile.ZipFile(file) as archive:
            member = archive.getinfo("data.npy")
        if member.compress_type != zipfile.ZIP_STORED:
            raise UsageError(f"{path} is compressed and cannot be memory-mapped; save it again with numpy.savez")
        file.seek(member.header_offset + 26)  # lengths of the name and of what follows it, before the content
        file.seek(sum(struct.unpack("<HH", file.read(4))), os.SEEK_CUR)
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if len(shape) != 2 or shape[1] != 3 * 64 * 64 or dtype != np.uint8:
            raise UsageError(f"{path} holds {dtype} of shape {shape}, expected uint8 of shape (images, 12288)")
        data = np.memmap(path, np.uint8, "r", file.tell(), shape)
    return data.reshape(-1, 3, 64, 64).transpose(0, 2, 3, 1)


LOADERS: Mapping[str, Callable[[DataConfig], Corpus]] = {
    "digits": digits,
    "photos": photos,
    "images": user_images,
    "imagenet64": imagenet64,
}


def image_coordinates(
    height: int, width: int, channels: int = 3, order: PixelOrder = "raster"
) -> Int[np.ndarray, "tokens 3"]:
    """Column, row and channel of SOS and every value of an image, as indices into three position tables.

    Official code, dataset.py: SOS is (1, 1, 1) and column 0 is 2, so the tables have width + 2, height + 2 and
    channels + 2 rows.

    Args:
        height: rows.
        width: columns.
        channels: values of a pixel.
        order: raster: pixel by pixel, the channels of each pixel in turn; planes: channel by channel (paper, table 5).
    """
    axes = ("row", "column", "channel") if order == "raster" else ("channel", "row", "column")
    sizes = {"row": height, "column": width, "channel": channels}
    grid = np.indices([sizes[axis] for axis in axes]).reshape(3, -1)
    coordinates = np.stack([grid[axes.index(axis)] for axis in ("column", "row", "channel")], axis=1)
    return np.concatenate([np.ones((1, 3), int), coordinates + 2])
