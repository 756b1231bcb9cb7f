"""Templates of what is given: `The {8} of the {3} was` has blanks of 8 and 3 tokens; `{}` reaches to the end."""

import re
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int
from onepaper.errors import UsageError

from cdcd.data.corpus import TextCodec

_PARTS = re.compile(r"\{\{|\}\}|\{(\d*)\}|[{}]|[^{}]+")


class Given(NamedTuple):
    """A sequence of which some tokens are given.

    Attributes:
        tokens: the given ones, 0 elsewhere.
        mask: true where a token is sampled.
        shown: number of tokens that the template describes; those after it are sampled and not shown.
    """

    tokens: Int[np.ndarray, " length"]
    mask: Bool[np.ndarray, " length"]
    shown: int


def parse_template(template: str) -> list[str | int | None]:
    """Texts, sizes of blanks, and None for a blank to the end. Double braces stand for braces of the text.

    Raises:
        UsageError: a single brace, an empty blank of 0, or `{}` before the end.
    """
    parts: list[str | int | None] = []
    for match in _PARTS.finditer(template):
        whole, size = match.group(), match.group(1)
        if size is None:
            if whole in "{}":
                raise UsageError(
                    f"template has a single '{whole}' at character {match.start()}, expected blanks such as {{8}}, "
                    "{} at the end, or double braces for a brace of the text"
                )
            text = {"{{": "{", "}}": "}"}.get(whole, whole)
            if parts and isinstance(parts[-1], str):
                text = f"{parts.pop()}{text}"
            parts.append(text)
        elif size and int(size) == 0:
            raise UsageError(f"template has the blank {whole}, expected at least one token")
        else:
            parts.append(int(size) if size else None)
    if None in parts[:-1]:
        raise UsageError("template has {} before its end, expected the size of each blank but the last, e.g. {8}")
    return parts


def encode_template(template: str, codec: TextCodec, length: int) -> Given:
    """The tokens of a template. The space before a blank belongs to the blank, as in the tokens of words.

    Args:
        template: texts and blanks.
        codec: of the network.
        length: L, positions of its sequences.

    Raises:
        UsageError: a wrong template, one longer than L, or one without a blank.
    """
    parts = parse_template(template)
    if not any(not isinstance(part, str) for part in parts):
        raise UsageError("template has no blank, so that nothing is sampled; add one such as {8}, or {} at the end")
    tokens, mask = list[int](), list[bool]()
    for number, part in enumerate(parts):
        if isinstance(part, str):
            text = f" {part}" if number == 0 and not part.startswith(" ") else part
            if number + 1 < len(parts):
                text = text.removesuffix(" ")
            ids = codec.encode(text).tolist() if text else []
            tokens, mask = tokens + ids, mask + [False] * len(ids)
        else:
            size = max(0, length - len(tokens)) if part is None else part
            if size > length:
                raise UsageError(f"template has a blank of {size} tokens, expected at most {length}, the length")
            tokens, mask = tokens + [0] * size, mask + [True] * size
    if len(tokens) > length or not any(mask):
        raise UsageError(
            f"template has {len(tokens)} tokens, expected at most {length} with at least one sampled; shorten it"
        )
    rest = length - len(tokens)
    return Given(np.array(tokens + [0] * rest, np.int32), np.array(mask + [True] * rest), len(tokens))
