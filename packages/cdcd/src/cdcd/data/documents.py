"""Documents in parts that share nothing: for the model, for the evaluator of its samples, and for prompts."""

import lzma
import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from onepaper.data import embedded

from cdcd.config import DataConfig

# Of every twenty speeches in the order of time.
EVALUATOR_SPEECHES, TEST_SPEECHES = (2, 6, 10, 14, 16), (9,)

# Words of a shingle, of which documents that repeat each other share many.
SHINGLE_WORDS = 8


class Document(NamedTuple):
    """A text and its name."""

    name: str
    text: str


class Parts(NamedTuple):
    """Documents by use."""

    train: list[Document]
    evaluator: list[Document]
    test: list[Document]


@cache
def speeches() -> tuple[Document, ...]:
    """The 233 speeches that ship with the package, by year: 1790 to 2021."""
    content = lzma.decompress(embedded("cdcd", "speeches.tsv.xz").read_bytes()).decode("utf-8")
    return tuple(Document(*line.split("\t", 1)) for line in content.splitlines())


def split_speeches() -> Parts:
    """70% of the speeches for training, 25% for the evaluator, 5% for prompts; no part repeats another."""
    parts = Parts([], [], [])
    for number, speech in enumerate(speeches()):
        place = number % 20
        part = parts.evaluator if place in EVALUATOR_SPEECHES else parts.test if place in TEST_SPEECHES else parts.train
        part.append(speech)
    return parts


def split_documents(config: DataConfig) -> Parts:
    """The parts of a dataset.

    Of a user's text the evaluator gets the validation part.

    Raises:
        UsageError: missing or unreadable files.
    """
    if config.dataset == "speeches":
        return split_speeches()
    from onepaper.text import open_text

    assert config.path is not None
    parts = [[Document(found.path.stem, found.read()) for found in part] for part in open_text(config.path)]
    return Parts(*parts)


def shingles(text: str, words: int = SHINGLE_WORDS) -> set[tuple[str, ...]]:
    """All runs of so many words, in lower case."""
    found = re.findall(r"[\w']+", text.lower())
    return {tuple(found[at : at + words]) for at in range(len(found) - words + 1)}


def overlap(first: Sequence[Document], second: Sequence[Document]) -> dict[tuple[str, str], float]:
    """Shared shingles of each pair of documents, as a fraction of the shorter one; pairs that share none are left out.

    Near-duplicates across parts would let a model repeat what its evaluator has seen.
    """
    others = [(document.name, shingles(document.text)) for document in second]
    found = {}
    for document in first:
        own = shingles(document.text)
        for name, other in others:
            if shared := len(own & other):
                found[document.name, name] = shared / min(len(own), len(other))
    return found
