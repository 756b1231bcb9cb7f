"""Documents as tokens: the tokenizer of a dataset, and windows of its parts."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from onepaper.data import random_batches
from onepaper.errors import UsageError
from onepaper.text import CharacterTokenizer, PieceTokenizer, Tokenizer, learn_pieces, open_tokenizer

from cdcd.config import LETTERS, DataConfig
from cdcd.data.documents import Document, split_documents

Tokens = Int[np.ndarray, " tokens"]

# The kind of tokenizer, as `onepaper.text` names it.
TOKENIZERS = {"pieces": "pieces", "letters": "characters"}


class TextCodec:
    """Text as tokens and back; letters are normalised first.

    Args:
        kind: `tokens` of the data.
        tokenizer: of that kind.
    """

    def __init__(self, kind: str, tokenizer: Tokenizer) -> None:
        self.kind, self.tokenizer = kind, tokenizer
        self.vocab_size = tokenizer.vocab_size

    def encode(self, text: str) -> Tokens:
        """Tokens of a text."""
        return self.tokenizer.encode(to_letters(text) if self.kind == "letters" else text)

    def decode(self, tokens: Tokens) -> str:
        """The text of tokens."""
        return self.tokenizer.decode(np.asarray(tokens))


class Corpus(NamedTuple):
    """The documents of each part one after the other, as tokens."""

    codec: TextCodec
    train: Tokens
    evaluator: Tokens
    test: Tokens


def to_letters(text: str) -> str:
    """Lower-case letters, spaces and full stops; anything else becomes a space, and runs of spaces one."""
    return re.sub(r" +", " ", re.sub(r"[^a-z.]", " ", text.lower()))


def saved_codec(kind: str, read: Callable[[str], bytes]) -> TextCodec:
    """The codec of a trained network, from the files saved beside its weights."""
    return TextCodec(kind, open_tokenizer(TOKENIZERS[kind], read))


@lru_cache(maxsize=2)
def load(config: DataConfig, vocab_size: int) -> Corpus:
    """The tokens of a dataset; the tokenizer is trained on all parts but the test.

    Args:
        config: the dataset; `part` does not matter.
        vocab_size: number of SentencePiece tokens, or that of the letters.

    Raises:
        UsageError: missing data, too little text for the vocabulary, or a size that letters do not have.
    """
    parts = split_documents(config)
    if config.tokens == "letters":
        if vocab_size != len(LETTERS):
            raise UsageError(f"vocab_size is {vocab_size}, expected {len(LETTERS)} for letters")
        codec = TextCodec("letters", CharacterTokenizer(LETTERS))
    else:
        texts = [document.text for document in (*parts.train, *parts.evaluator)]
        codec = TextCodec("pieces", PieceTokenizer(learn_pieces(texts, vocab_size, cached=True)))
    return Corpus(codec, *(_join(codec, part) for part in parts))


def _join(codec: TextCodec, documents: Sequence[Document]) -> Tokens:
    # The space in front separates documents, and the first word is a token as in the middle of a text.
    return np.concatenate([codec.encode(f" {document.text}") for document in documents]).astype(np.int32)


def check_length(tokens: Tokens, length: int, part: str) -> None:
    """Raise `UsageError` for a part shorter than a sequence."""
    if len(tokens) < length:
        raise UsageError(f"the {part} part has {len(tokens)} tokens, expected at least length, which is {length}")


def check_tokens(tokens: Tokens, vocab_size: int, part: str) -> None:
    """Raise `UsageError` for tokens outside the vocabulary."""
    if len(tokens) and not 0 <= int(tokens.min()) <= int(tokens.max()) < vocab_size:
        raise UsageError(
            f"the {part} part has tokens from {tokens.min()} to {tokens.max()}, expected 0 to {vocab_size - 1}; set "
            "--model.vocab-size"
        )


def window_batches(
    tokens: Tokens, length: int, batch_size: int, *, seed: int, rank: int = 0, world: int = 1
) -> Callable[[int], Int[np.ndarray, "batch length"]]:
    """Windows that begin anywhere, as a function of the step."""

    def make(generator: np.random.Generator, count: int) -> Int[np.ndarray, "batch length"]:
        starts = generator.integers(0, len(tokens) - length + 1, count)
        return tokens[starts[:, None] + np.arange(length)]

    return random_batches(make, batch_size, seed=seed, rank=rank, world=world)


def held_out_windows(tokens: Tokens, length: int, count: int) -> Int[np.ndarray, "count length"]:
    """Windows spread evenly over a part, which do not overlap where there is room; fewer if the part is short."""
    count = max(1, min(count, len(tokens) // length))
    starts = np.linspace(0, len(tokens) - length, count).astype(int)
    return tokens[starts[:, None] + np.arange(length)]
