"""Splice sites, letters of a book or of a user's text, and binarised digits. DATA.md lists the sources and licences."""

import lzma
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from onepaper import text
from onepaper.config import check_positive
from onepaper.data import embedded
from onepaper.errors import UsageError
from onepaper.fingerprint.marks import unmeasured

from simplex_cir.config import LETTERS, NUCLEOTIDES
from simplex_cir.data.dataset import SPLIT_SEED, Dataset, encode, part_ends, split

# Characters at the end of the book for validation and test, half each.
HELD_OUT_CHARACTERS = 400_000


@lru_cache(maxsize=1)
def splice_counts() -> Mapping[str, int]:
    """Human 5' splice sites of the form NNNGYNNNN -> number of occurrences in the genome."""
    lines = embedded("simplex_cir", "splice_sites.tsv").read_text(encoding="ascii").splitlines()[1:]
    return {sequence: int(count) for sequence, count in (line.split("\t") for line in lines)}


@lru_cache(maxsize=1)
def splice_sites() -> Dataset:
    """Occurrences of splice sites, 9 nucleotides each, split at random."""
    counts = splice_counts()
    distinct = encode(list(counts), NUCLEOTIDES)
    occurrences = np.repeat(np.arange(len(distinct)), list(counts.values()))
    return split(distinct[np.random.default_rng(SPLIT_SEED).permutation(occurrences)], NUCLEOTIDES)


@lru_cache(maxsize=1)
def book() -> str:
    """The King James Bible in 27 symbols: lower-case letters and single spaces."""
    return lzma.decompress(embedded("simplex_cir", "book.txt.xz").read_bytes()).decode("ascii")


def book_letters(length: int = 32) -> Dataset:
    """Windows of the book; those for training overlap by half, the others do not overlap."""
    return text_windows(book(), length, HELD_OUT_CHARACTERS)


def text_windows(text: str, length: int, held_out: int, name: str = "text") -> Dataset:
    """Windows of a text in the 27 symbols of `normalise`, with its end held out.

    Args:
        text: letters and single spaces.
        length: of a window.
        held_out: number of characters for validation and test together.
        name: of the text, for error messages.

    Raises:
        UsageError: a text too short for a window in each part.
    """
    check_positive("length", length)
    tokens = encode([text], LETTERS)[0] if text else np.zeros(0, np.int64)
    parts = np.split(tokens, [len(tokens) - held_out, len(tokens) - held_out // 2]) if len(tokens) > held_out else []
    if not parts or min(map(len, parts)) < length:
        raise UsageError(
            f"{name} has {len(tokens)} letters, expected more than {held_out + length}: {held_out} are held out and "
            f"every part needs a window of {length}; give a longer text or a smaller length"
        )
    train = np.lib.stride_tricks.sliding_window_view(parts[0], length)[:: max(length // 2, 1)]
    validation, test = (part[: len(part) // length * length].reshape(-1, length) for part in parts[1:])
    return Dataset(LETTERS, np.ascontiguousarray(train), validation, test, aligned=False)


def normalise(text: str) -> str:
    """Any text in 27 symbols: lower case, everything but a to z becomes a space, runs of spaces one."""
    kept = (character if "a" <= character <= "z" else " " for character in text.lower())
    return " ".join("".join(kept).split())


@unmeasured
def read_text(path: Path, length: int) -> Dataset:
    """A user's text file as windows of letters, with a tenth held out.

    Raises:
        UsageError: no such file, not text, or too short.
    """
    letters = normalise(text.read_text(path))
    return text_windows(letters, length, held_out=max(len(letters) // 10, 2 * length), name=str(path))


@lru_cache(maxsize=1)
def binary_digits() -> Dataset:
    """Handwritten digits of 8 x 8 pixels, binarised at half of the ink: two symbols."""
    from sklearn.datasets import load_digits

    pixels, labels = (np.asarray(values) for values in load_digits(return_X_y=True))
    order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
    parts = split((pixels >= 8).astype(np.int64)[order], ".#")
    return replace(parts, labels=tuple(np.split(labels[order], part_ends(len(labels)))))
