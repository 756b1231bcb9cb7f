"""Documents in parts for training, validation and test: the Bible that ships with the package, or the user's text."""

import lzma
from functools import cache
from typing import NamedTuple

from onepaper.data import embedded
from onepaper.text import hold_out_tenth, open_text

from sed.config import DataConfig

TEXT_NAME, VOCABULARY_NAME = "kjv.tsv.xz", "kjv-pieces.model"

# Tokens of the vocabulary that ships with the text; padding and the end of a document are two of them.
KJV_VOCAB = 2048


class Document(NamedTuple):
    """A text and its name."""

    name: str
    text: str


class Parts(NamedTuple):
    """Documents by use."""

    train: list[Document]
    validation: list[Document]
    test: list[Document]


@cache
def chapters() -> tuple[Document, ...]:
    """The 1189 chapters of the King James Bible, named by the numbers of book and chapter, e.g. 01-001."""
    content = lzma.decompress(embedded("sed", TEXT_NAME).read_bytes()).decode("utf-8")
    return tuple(Document(*line.split("\t", 1)) for line in content.splitlines())


def split_documents(config: DataConfig) -> Parts:
    """The parts of a dataset, split by document before any window is cut (of the Bible by chapter, 80/10/10).

    Runs of white space become one space.

    Raises:
        UsageError: missing or unreadable files.
    """
    if config.dataset == "kjv":
        return Parts(*hold_out_tenth(chapters()))
    assert config.path is not None
    return Parts(
        *(
            [Document(found.path.stem, " ".join(found.read().split())) for found in part]
            for part in open_text(config.path)
        )
    )
