"""Templates of what is given: `Once [[8]] lived a [[3]].` has blanks of 8 and 3 tokens; `[[*]]` takes what is left."""

import re
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int
from onepaper.errors import UsageError

from sed.data.corpus import TextCodec

_BLANK = re.compile(r"\[\[([^\[\]]*)\]\]")


class Template(NamedTuple):
    """A sequence of which some tokens are given.

    Attributes:
        tokens: the given ones, 0 elsewhere.
        cond_mask: true where a token is given.
        shown: number of tokens that the template describes; those after it are sampled and not shown.
    """

    tokens: Int[np.ndarray, " length"]
    cond_mask: Bool[np.ndarray, " length"]
    shown: int


def parse_template(template: str) -> list[str | int | None]:
    """Texts, sizes of blanks, and None for the blank of free size.

    Raises:
        UsageError: a blank that is neither a number above 0 nor `*`, two of free size, or none at all.
    """
    parts: list[str | int | None] = []
    for number, part in enumerate(_BLANK.split(template)):
        if number % 2 == 0:
            parts += [part] if part else []
        elif part.strip() == "*":
            parts.append(None)
        elif part.strip().isascii() and part.strip().isdigit() and int(part) > 0:
            parts.append(int(part))
        else:
            raise UsageError(f"template has the blank [[{part}]], expected a number of tokens such as [[8]], or [[*]]")
    if parts.count(None) > 1:
        raise UsageError("template has [[*]] twice, expected at most one blank of free size; give the others a number")
    if all(isinstance(part, str) for part in parts):
        raise UsageError("template has no blank, so that nothing is sampled; add one such as [[8]], or [[*]]")
    return parts


def encode_template(template: str, codec: TextCodec, length: int) -> Template:
    """The tokens of a template. The space before a blank belongs to the blank, as in the tokens of words.

    Args:
        template: texts and blanks.
        codec: of the network.
        length: N, positions of its sequences.

    Raises:
        UsageError: a wrong template, or one longer than N.
    """
    parts = parse_template(template)
    pieces: list[np.ndarray | None] = []
    for number, part in enumerate(parts):
        if part is None:
            pieces.append(None)
        elif isinstance(part, int):
            if part > length:
                raise UsageError(f"template has a blank of {part} tokens, expected at most {length}, the length")
            pieces.append(np.full(part, -1))
        else:
            text = f" {part}" if number == 0 and codec.kind == "pieces" and not part.startswith(" ") else part
            if codec.kind == "pieces" and number + 1 < len(parts):
                text = text.removesuffix(" ")
            pieces.append(codec.encode(text) if text else np.zeros(0, np.int32))
    used = sum(len(piece) for piece in pieces if piece is not None)
    is_free = any(piece is None for piece in pieces)
    if used + is_free > length:
        free = " and a blank of free size" if is_free else ""
        raise UsageError(f"template has {used} tokens{free}, expected at most {length} in all; shorten it")
    row = np.concatenate([np.full(length - used, -1) if piece is None else piece for piece in pieces])
    full = np.concatenate([row, np.full(length - len(row), -1)])
    return Template(np.maximum(full, 0).astype(np.int32), full >= 0, len(row))
