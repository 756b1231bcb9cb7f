"""The pictures that ship with the package: 1,572 emoji of Twemoji with names and keywords of the Unicode CLDR."""

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from onepaper.data import embedded
from onepaper.images.reading import read_image

SIZE, COLUMNS = 64, 40

# Of every twenty emoji of a category, in the order of Unicode: one is for validation, one for tests.
VALIDATION, TEST, PERIOD = 9, 19, 20


class Emoji(NamedTuple):
    """One concept."""

    character: str
    category: str
    name: str
    keywords: tuple[str, ...]
    part: str
    """train, validation or test"""


@cache
def emoji() -> tuple[Emoji, ...]:
    """All concepts in the order of their pictures."""
    found, seen = [], dict[str, int]()
    for line in embedded("imagen3", "emoji.tsv").read_text(encoding="utf-8").splitlines():
        character, category, name, keywords = line.split("\t")
        place = seen[category] = seen.get(category, -1) + 1
        part = {VALIDATION: "validation", TEST: "test"}.get(place % PERIOD, "train")
        found.append(Emoji(character, category, name, tuple(keywords.split(", ")), part))
    return tuple(found)


@cache
def emoji_pictures() -> UInt8[np.ndarray, "count 64 64 3"]:
    """The pictures of `emoji()` on white."""
    sheet = read_image(embedded("imagen3", "emoji.webp"))
    rows = sheet.reshape(-1, SIZE, COLUMNS, SIZE, 3).transpose(0, 2, 1, 3, 4)
    return rows.reshape(-1, SIZE, SIZE, 3)[: len(emoji())]
