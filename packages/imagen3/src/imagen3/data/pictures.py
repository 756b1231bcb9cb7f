"""Captioned pictures with their parts: emoji, or a folder of a user."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, UInt8
from onepaper.errors import UsageError
from onepaper.fingerprint.marks import unmeasured
from onepaper.images.folders import image_files, readable_images
from onepaper.images.reading import read_image
from PIL import Image

from imagen3.config import DataConfig
from imagen3.data.buckets import BucketSampler, Ragged, bucket_of, bucket_sizes, cover
from imagen3.data.captions import read_caption, read_synthetic, synthetic_captions
from imagen3.data.duplicates import duplicate_groups
from imagen3.data.emoji import PERIOD, SIZE, TEST, VALIDATION, emoji, emoji_pictures
from imagen3.data.tables import read_json_lines

MANIFEST = "manifest.jsonl"


class Caption(NamedTuple):
    """A text about a picture."""

    text: str
    original: bool
    """whether it came with the picture"""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures, their captions, and which of them are learned from."""

    pixels: UInt8[np.ndarray, "count height width 3"]
    captions: list[list[Caption]]
    part: list[str]
    """train, validation or test"""
    selected: list[bool]
    """whether the denoiser uses it; the autoencoder uses all"""
    left_out: int = 0
    """duplicates that were removed"""

    def indices(self, part: str, *, selected: bool = False) -> np.ndarray:
        """Numbers of the pictures of a part."""
        chosen = [own == part and (keep or not selected) for own, keep in zip(self.part, self.selected, strict=True)]
        return np.flatnonzero(chosen)

    def subset(self, numbers: Int[np.ndarray, " kept"]) -> "Pictures":
        """The pictures of these numbers, in this order; a number may be there several times."""
        return Pictures(
            self.pixels[numbers],
            *([own[number] for number in numbers] for own in (self.captions, self.part, self.selected)),
            left_out=self.left_out,
        )

    def without_duplicates(self) -> "Pictures":
        """The first picture of each group of duplicates, of whatever part."""
        kept = np.sort(np.unique(duplicate_groups(self.pixels), return_index=True)[1])
        return replace(self.subset(kept), left_out=self.left_out + len(self.pixels) - len(kept))


@dataclass(frozen=True, eq=False)
class WeightedPictures(Pictures):
    """Pictures of one size or of several, with weights."""

    pixels: UInt8[np.ndarray, "count height width 3"] | Ragged  # pyright: ignore[reportIncompatibleVariableOverride]
    weights: list[float] = field(default_factory=list[float])
    """how often each is drawn in a training; empty for all equally often"""


def bucket_sampler(pictures: Pictures, numbers: Int[np.ndarray, " some"], batch_size: int, seed: int) -> BucketSampler:
    """Global batches of some pictures, each of one size and by their weights, as indices into `numbers`."""
    weights = (
        np.array(pictures.weights)[numbers] if isinstance(pictures, WeightedPictures) and pictures.weights else None
    )
    buckets = pictures.pixels.buckets if isinstance(pictures.pixels, Ragged) else np.zeros(len(pictures.pixels), int)
    return BucketSampler(buckets[numbers], batch_size, weights=weights, seed=seed)


def load_pictures(config: DataConfig) -> Pictures:
    """The pictures of a configuration.

    Raises:
        UsageError: files are missing or cannot be read, or a part is empty.
    """
    found = _emoji(config) if config.dataset == "emoji" else _folder(config)
    if config.remove_duplicates:
        found = found.without_duplicates()
    for part in ("train", "validation"):
        if not len(found.indices(part, selected=True)):
            raise UsageError(f"there is no picture for {part}; give at least {PERIOD} pictures, or other categories")
    return found


def _emoji(config: DataConfig) -> Pictures:
    concepts, pixels = emoji(), emoji_pictures()
    captions = [
        [Caption(concept.name, True), *(Caption(text, False) for text in synthetic_captions(concept, picture))]
        for concept, picture in zip(concepts, pixels, strict=True)
    ]
    if config.size != SIZE:
        pixels = np.stack(
            [np.asarray(Image.fromarray(picture).resize((config.size, config.size))) for picture in pixels]
        )
    selected = [concept.category in config.categories for concept in concepts]
    return Pictures(pixels, captions, [concept.part for concept in concepts], selected)


@unmeasured
def _folder(config: DataConfig) -> Pictures:
    return folder_pictures(config)


def folder_pictures(config: DataConfig, step: int = 0) -> WeightedPictures:
    """The pictures of a folder with captions, and with the weights of a manifest of `data filter`, if it has one.

    Args:
        config: of the dataset folder.
        step: pictures keep their aspect ratios at about the area of `config.size` squared, with sides in multiples of
            so many pixels, factor * patch of the networks; 0 crops all to squares.

    Raises:
        UsageError: files or captions are missing or cannot be read, the manifest says nothing of a picture, or another
            data set or the removal of duplicates is asked for with a step.
    """
    if config.path is None or (step and config.remove_duplicates):
        raise UsageError("pictures keep their aspect ratios in data.dataset 'folder' without data.remove-duplicates")
    square = (config.size, config.size)
    files = readable_images(image_files(config.path), size=None if step else square)
    captions = []
    for file in files:
        caption = read_caption(file)
        if not caption:
            raise UsageError(f"{file} has no caption; write one into {file.stem}.txt beside it")
        captions.append([Caption(caption, True), *(Caption(text, False) for text in read_synthetic(file))])
    pixels = (
        several_sizes(files, bucket_sizes(config.size**2, step))
        if step
        else np.stack([read_image(file, size=square) for file in files])
    )
    part = [{VALIDATION: "validation", TEST: "test"}.get(number % PERIOD, "train") for number in range(len(files))]
    return WeightedPictures(pixels, captions, part, [True] * len(files), weights=manifest_weights(config.path, files))


def several_sizes(files: Sequence[Path], sizes: Sequence[tuple[int, int]]) -> Ragged:
    """Pictures of files, each resized and cropped to the size with the nearest ratio (`data.buckets`)."""

    def fitted(pixels: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "height width 3"]:
        height, width, _ = pixels.shape
        return cover(pixels, sizes[bucket_of(height, width, sizes)])

    return Ragged.of([fitted(read_image(file)) for file in files])


def manifest_weights(folder: Path, files: Sequence[Path]) -> list[float]:
    """The weights of files by the manifest that `data filter` wrote into their folder; none without one.

    Raises:
        UsageError: the manifest is damaged, or says nothing of a file.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return []
    given = {row["kept"]: row.get("weight") for row in read_json_lines(manifest) if isinstance(row.get("kept"), str)}
    weights: list[float] = []
    for file in files:
        weight = given.get(file.name)
        if not isinstance(weight, int | float):
            raise UsageError(f"{manifest} has no weight of {file.name}; filter the collection again")
        weights.append(float(weight))
    return weights
