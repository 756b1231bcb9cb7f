"""Synthetic captions: several captioners and instructions, as the report recommends (paper, section 2).

A captioner is a set of rules about what is known of a picture: its name, keywords, category, and the colours that are
measured from its pixels. An instruction is the form in which it answers.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from onepaper.errors import UsageError

from imagen3.data.emoji import Emoji

LARGEST_CAPTION = 10_000

PALETTE = {
    "black": (20, 20, 20),
    "grey": (140, 150, 160),
    "red": (220, 45, 60),
    "orange": (245, 145, 30),
    "yellow": (255, 205, 75),
    "green": (90, 155, 60),
    "blue": (60, 135, 200),
    "purple": (145, 95, 180),
    "pink": (240, 140, 190),
    "brown": (150, 90, 50),
}
"""Names of colours and their typical values in sRGB."""

# Pixels this bright are background, and a colour is named when it covers this share of the others.
BACKGROUND, SMALLEST_SHARE = 240, 0.15

Captioner = Callable[[Emoji, tuple[str, ...]], list[str]]


def main_colours(picture: UInt8[np.ndarray, "height width 3"], most: int = 2) -> tuple[str, ...]:
    """Names of the colours that cover most of a picture beside its white background; at most `most`."""
    pixels = picture.reshape(-1, 3)
    pixels = pixels[pixels.min(axis=1) < BACKGROUND].astype(np.float64)
    if not len(pixels):
        return ("white",)
    colours = np.array(list(PALETTE.values()), np.float64)
    distances = np.square(colours).sum(axis=1) - 2 * pixels @ colours.T  # but for the square of the pixel
    shares = np.bincount(distances.argmin(axis=1), minlength=len(PALETTE)) / len(pixels)
    names = list(PALETTE)
    return tuple(names[index] for index in np.argsort(-shares, kind="stable")[:most] if shares[index] > SMALLEST_SHARE)


def with_article(noun: str) -> str:
    """A noun with "a" or "an", by its first letter."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def by_name(concept: Emoji, colours: tuple[str, ...]) -> list[str]:
    """Captions from the name alone."""
    return [
        with_article(concept.name),
        f"a picture of {with_article(concept.name)}",
        f"{concept.name} on a white background",
    ]


def by_keywords(concept: Emoji, colours: tuple[str, ...]) -> list[str]:
    """Captions from the keywords."""
    some = [word for word in concept.keywords if word != concept.name][:4]
    return [", ".join(some), f"{concept.name}: {', '.join(some[:2])}"] if some else []


def by_colour(concept: Emoji, colours: tuple[str, ...]) -> list[str]:
    """Captions from the measured colours and the category."""
    if not colours:
        return []
    shown = " and ".join(colours)
    return [
        with_article(f"{shown} {concept.name}"),
        f"an emoji of {concept.category.lower()} in {shown}: {concept.name}",
    ]


CAPTIONERS: tuple[Captioner, ...] = (by_name, by_keywords, by_colour)


def synthetic_captions(concept: Emoji, picture: UInt8[np.ndarray, "height width 3"]) -> list[str]:
    """All synthetic captions of a concept, in a fixed order."""
    colours = main_colours(picture)
    return [caption for captioner in CAPTIONERS for caption in captioner(concept, colours)]


def read_caption(picture: Path) -> str:
    """The text in NAME.txt beside the file of a picture; empty where there is none.

    Raises:
        UsageError: it is longer than 10,000 bytes, or no UTF-8.
    """
    return " ".join(_text_of(picture.with_suffix(".txt")).split())


def read_synthetic(picture: Path) -> list[str]:
    """Captions of NAME.synthetic.txt beside a picture, one a line, such as those of several captioners; as above."""
    lines = _text_of(picture.with_suffix(".synthetic.txt")).splitlines()
    return [" ".join(line.split()) for line in lines if line.strip()]


def _text_of(file: Path) -> str:
    if not file.is_file():
        return ""
    with file.open("rb") as opened:
        content = opened.read(LARGEST_CAPTION + 1)
    if len(content) > LARGEST_CAPTION:
        raise UsageError(f"{file} has more than {LARGEST_CAPTION:,} bytes; expected a caption")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is no UTF-8 text; save it again as UTF-8") from None
