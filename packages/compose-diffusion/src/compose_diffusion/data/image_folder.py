"""A folder of images with labels.

    FOLDER/images/...            PNG, JPEG or WebP files, in folders or not
    FOLDER/labels.csv            image,class         one row for an image
                                 image,x,y           one row for each object, from 0 (left, top) to 1 (right, bottom)
    FOLDER/labels.npz            or the same as arrays: `image` [rows] and `class` [rows], `position` [rows, 2] or
                                 `text` [rows, tokens, features], embeddings by a text encoder of your choice

`image` is the path below `images`. Networks without a condition need no labels. Images are resized so that the shorter
side fits and cropped at the centre.
"""

import csv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from onepaper.config import check_choice
from onepaper.data import data_root
from onepaper.errors import OnePaperError, UsageError
from PIL import Image, UnidentifiedImageError

from compose_diffusion.config.guided_diffusion import CONDITIONS

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
COLUMNS = {"class": ("class",), "position": ("x", "y")}
MODES = {1: "L", 3: "RGB"}

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
            OnePaperError: an image is missing or damaged.
        """
        batch: dict[str, npt.NDArray[Any]] = {"images": np.stack([self._image(self.files[index]) for index in chosen])}
        if self.conditions is not None:
            batch["condition"] = self.conditions[chosen]
        return batch

    def _image(self, file: str) -> npt.NDArray[np.float32]:
        path = self.root / "images" / file
        size = self.image_size
        try:
            with Image.open(path) as image:
                # JPEG files are decoded at reduced size if that is sufficient.
                image.draft(MODES[self.image_channels], (2 * size, 2 * size))
                image = image.convert(MODES[self.image_channels])
        except (UnidentifiedImageError, OSError) as error:
            raise OnePaperError(f"image {path} cannot be read ({error}); fetch it again or remove its row") from error
        scale = size / min(image.size)
        shape = max(size, round(image.width * scale)), max(size, round(image.height * scale))
        if image.size != shape:
            image = image.resize(shape, Image.Resampling.LANCZOS)
        left, top = (shape[0] - size) // 2, (shape[1] - size) // 2
        pixels = np.asarray(image.crop((left, top, left + size, top + size)), np.float32) / 127.5 - 1
        return pixels[None] if self.image_channels == 1 else np.moveaxis(pixels, 2, 0)


def open_image_folder(
    dataset: str,
    condition: Condition,
    *,
    image_size: int,
    image_channels: int = 3,
    num_classes: int = 0,
    text_dim: int = 0,
    root: Path | None = None,
) -> ImageFolder:
    """The folder `$ONEPAPER_DATA/DATASET`, or `root`, checked without decoding images.

    Args:
        dataset: name of the folder.
        condition: which labels are needed.
        image_size: height and width to decode to.
        image_channels: 1 or 3.
        num_classes: with condition class; every label is below it.
        text_dim: with condition text; features of every token.
        root: the folder itself.

    Raises:
        UsageError: the folder, images or labels are missing, or labels do not fit the condition.
    """
    check_choice("condition", condition, CONDITIONS)
    if image_channels not in MODES:
        raise UsageError(f"image_channels is {image_channels}, expected 1 (grey) or 3 (colour)")
    folder = data_root(dataset, root, expected=("images",))
    if condition == "none":
        paths = (path for path in (folder / "images").rglob("*") if path.suffix.lower() in IMAGE_ENDINGS)
        files = sorted(path.relative_to(folder / "images").as_posix() for path in paths)
        if not files:
            raise UsageError(f"{folder / 'images'} holds no image, expected files ending in {', '.join(IMAGE_ENDINGS)}")
        return ImageFolder(folder, tuple(files), None, image_size, image_channels)
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
    missing = [file for file in dict.fromkeys(files) if not (folder / "images" / file).is_file()]
    if missing:
        raise UsageError(f"{where} names {len(missing)} files that are not in {folder / 'images'}, first {missing[0]}")
    values = values.astype(np.int64 if condition == "class" else np.float32)
    return ImageFolder(folder, files, values, image_size, image_channels)


def _labels(folder: Path, condition: str) -> tuple[tuple[str, ...], npt.NDArray[Any], Path]:
    """Files, values, and the labels file."""
    table, arrays = folder / "labels.csv", folder / "labels.npz"
    if arrays.is_file():
        try:
            with np.load(arrays, allow_pickle=False) as content:
                lacking = [name for name in ("image", condition) if name not in content]
                if lacking:
                    raise UsageError(f"{arrays} lacks the array '{lacking[0]}'; it has {', '.join(content.files)}")
                return tuple(str(file) for file in content["image"]), content[condition], arrays
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise UsageError(f"{arrays} cannot be read as plain arrays ({error}); save it with numpy.savez") from error
    if not table.is_file() or condition not in COLUMNS:
        named = "labels.csv or labels.npz" if condition in COLUMNS else "labels.npz"
        raise UsageError(f"{folder} lacks {named}, expected the '{condition}' of every image there")
    columns = COLUMNS[condition]
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lacking = [name for name in ("image", *columns) if not rows or name not in rows[0]]
    if lacking:
        raise UsageError(f"{table} lacks the column '{lacking[0]}', expected image,{','.join(columns)} and rows below")
    kind = int if condition == "class" else float
    try:
        values = np.array([[kind(row[name]) for name in columns] for row in rows])
    except (TypeError, ValueError) as error:
        raise UsageError(f"{table} has a '{condition}' that is no number ({error}); correct that row") from error
    return tuple(row["image"] for row in rows), values[:, 0] if condition == "class" else values, table
