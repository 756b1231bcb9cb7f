"""A folder of images with labels.

    FOLDER/images/...            PNG, JPEG, WebP, BMP, GIF or TIFF files, in folders or not
    FOLDER/labels.csv            image,class         one row for an image
                                 image,x,y           one row for each object, from 0 (left, top) to 1 (right, bottom)
    FOLDER/labels.npz            or the same as arrays: `image` [rows] and `class` [rows], `position` [rows, 2] or
                                 `text` [rows, tokens, features], embeddings by a text encoder of your choice

`image` is the path below `images`. Networks without a condition need no labels. Images are cropped to a square at the
centre and resized; transparent pixels become white.
"""

import csv
import io
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from onepaper.config import check_choice
from onepaper.data import Unreadable, data_root, readable
from onepaper.errors import UsageError
from onepaper.foreign.arrays import read_npz
from onepaper.images import image_files, read_image
from onepaper.text import read_text

from compose_diffusion.config.guided_diffusion import CONDITIONS

COLUMNS = {"class": ("class",), "position": ("x", "y")}

Condition = Literal["none", "class", "position", "text"]


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """Examples by index: an image, and a condition for conditional networks.

    Attributes:
        root: the folder.
        files: of every example, below `root/images`; an image with several objects is several examples.
        conditions: [examples, ...], None for networks without a condition.
        image_size: height and width of the decoded images.
        image_channels: 1 (grey) or 3 (colour).
    """

    root: Path
    files: tuple[str, ...]
    conditions: npt.NDArray[Any] | None
    image_size: int
    image_channels: int

    def __len__(self) -> int:
        return len(self.files)

    def __call__(self, chosen: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
        """`images` [batch, channels, size, size] in [-1, 1], and `condition` [batch, ...] where there is one.

        Raises:
            UsageError: an image is missing or damaged.
        """
        batch: dict[str, npt.NDArray[Any]] = {"images": np.stack([self._image(self.files[index]) for index in chosen])}
        if self.conditions is not None:
            batch["condition"] = self.conditions[chosen]
        return batch

    def _image(self, file: str) -> npt.NDArray[np.float32]:
        pixels = self._pixels(file).astype(np.float32) / 127.5 - 1
        return np.moveaxis(pixels, 2, 0)

    def _pixels(self, file: str) -> npt.NDArray[np.uint8]:
        size = self.image_size, self.image_size
        return read_image(self.root / "images" / file, channels=1 if self.image_channels == 1 else 3, size=size)

    def readable(self, unreadable: Unreadable) -> "ImageFolder":
        """The examples whose images can be decoded, see `onepaper.data.readable`; all are decoded once."""
        kept = set(readable(tuple(dict.fromkeys(self.files)), self._pixels, unreadable, description="checking images"))
        chosen = np.array([file in kept for file in self.files])
        files = tuple(file for file in self.files if file in kept)
        return replace(self, files=files, conditions=None if self.conditions is None else self.conditions[chosen])


def open_image_folder(
    dataset: str,
    condition: Condition,
    *,
    image_size: int,
    image_channels: int = 3,
    num_classes: int = 0,
    text_dim: int = 0,
    root: Path | None = None,
    unreadable: Unreadable = "error",
) -> ImageFolder:
    """The folder `$ONEPAPER_DATA/DATASET`, or `root`, with every image decoded once to check it.

    Args:
        dataset: name of the folder.
        condition: which labels are needed.
        image_size: height and width to decode to.
        image_channels: 1 or 3.
        num_classes: with condition class; every label is below it.
        text_dim: with condition text; features of every token.
        root: the folder itself.
        unreadable: what to do with images that cannot be decoded: "error", or "skip" to leave them out and count them.

    Raises:
        UsageError: the folder, images or labels are missing, labels do not fit the condition, or an unreadable image.
    """
    check_choice("condition", condition, CONDITIONS)
    if image_channels not in (1, 3):
        raise UsageError(f"image_channels is {image_channels}, expected 1 (grey) or 3 (colour)")
    folder = data_root(dataset, root, expected=("images",))
    if condition == "none":
        files = [file.relative_to(folder / "images").as_posix() for file in image_files(folder / "images")]
        return ImageFolder(folder, tuple(files), None, image_size, image_channels).readable(unreadable)
    files, values, where = _labels(folder, condition)
    expected = {"class": (), "position": (2,), "text": (max(values.shape[1:2], default=0), text_dim)}[condition]
    if values.shape[1:] != expected or len(files) != len(values) or not len(files):
        expected_shape = {"class": "[rows]", "position": "[rows, 2]", "text": f"[rows, tokens, {text_dim}]"}[condition]
        raise UsageError(
            f"{where} has '{condition}' of shape {values.shape} for {len(files)} files, expected {expected_shape}"
        )
    if condition == "class" and not (values.dtype.kind in "iu" and values.min() >= 0 and values.max() < num_classes):
        raise UsageError(
            f"{where} has classes from {values.min()} to {values.max()}, expected whole numbers from 0 to "
            f"{num_classes - 1}"
        )
    if condition == "position" and not (values.min() >= 0 and values.max() <= 1):
        raise UsageError(
            f"{where} has positions from {values.min():g} to {values.max():g}, expected 0 to 1; divide by the size"
        )
    # `Path.is_file` raises for names that no file can have
    missing = [file for file in dict.fromkeys(files) if not os.path.isfile(folder / "images" / file)]  # noqa: PTH113
    if missing:
        raise UsageError(
            f"{where} names {len(missing)} files that are not in {folder / 'images'}, first {missing[0][:200]}"
        )
    values = values.astype(np.int64 if condition == "class" else np.float32)
    return ImageFolder(folder, files, values, image_size, image_channels).readable(unreadable)


def _labels(folder: Path, condition: str) -> tuple[tuple[str, ...], npt.NDArray[Any], Path]:
    """Files, values, and the labels file."""
    table, arrays = folder / "labels.csv", folder / "labels.npz"
    if arrays.is_file():
        content = read_npz(arrays)
        lacking = [name for name in ("image", condition) if name not in content]
        if lacking:
            raise UsageError(f"{arrays} lacks the array '{lacking[0]}'; it has {', '.join(content)}")
        return tuple(str(file) for file in content["image"]), content[condition], arrays
    if not table.is_file() or condition not in COLUMNS:
        named = "labels.csv or labels.npz" if condition in COLUMNS else "labels.npz"
        raise UsageError(f"{folder} lacks {named}, expected the '{condition}' of every image there")
    columns = COLUMNS[condition]
    rows = list(csv.DictReader(io.StringIO(read_text(table), newline="")))
    lacking = [name for name in ("image", *columns) if not rows or name not in rows[0]]
    if lacking:
        raise UsageError(f"{table} lacks the column '{lacking[0]}', expected image,{','.join(columns)} and rows below")
    kind = int if condition == "class" else float
    try:
        values = np.array([[kind(row[name]) for name in columns] for row in rows])
    except (TypeError, ValueError) as error:
        raise UsageError(f"{table} has a '{condition}' that is no number ({error}); correct that row") from error
    return tuple(row["image"] for row in rows), values[:, 0] if condition == "class" else values, table
