"""Captioned pictures with their parts: emoji, or a folder of a user."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, UInt8
from onepaper.errors import UsageError
from onepaper.images.folders import image_files, readable_images
from onepaper.images.reading import read_image
from PIL import Image

from imagen3.config import DataConfig
from imagen3.data.captions import synthetic_captions
from imagen3.data.duplicates import duplicate_groups
from imagen3.data.emoji import PERIOD, SIZE, TEST, VALIDATION, emoji, emoji_pictures

LARGEST_CAPTION = 10_000


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


def _folder(config: DataConfig) -> Pictures:
    assert config.path is not None
    files = readable_images(image_files(config.path), size=(config.size, config.size))
    captions = []
    for file in files:
        text = file.with_suffix(".txt")
        if not text.is_file():
            raise UsageError(f"{file} has no caption; write one into {text.name} beside it")
        with text.open("rb") as opened:
            content = opened.read(LARGEST_CAPTION + 1)
        try:
            caption = " ".join(content.decode("utf-8-sig").split())
        except UnicodeDecodeError:
            raise UsageError(f"{text} is no UTF-8 text; save it again as UTF-8") from None
        if not caption or len(content) > LARGEST_CAPTION:
            raise UsageError(f"{text} has {len(content):,} bytes, expected a caption of 1 to {LARGEST_CAPTION:,}")
        captions.append([Caption(caption, True)])
    pixels = np.stack([read_image(file, size=(config.size, config.size)) for file in files])
    part = [{VALIDATION: "validation", TEST: "test"}.get(number % PERIOD, "train") for number in range(len(files))]
    return Pictures(pixels, captions, part, [True] * len(files))
