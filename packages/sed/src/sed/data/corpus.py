"""Documents as tokens: the tokenizer with padding and document ends, and windows with padding inside."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int
from onepaper.data import embedded, random_batches
from onepaper.errors import UsageError
from onepaper.text import CharacterTokenizer, PieceTokenizer, Tokenizer, learn_pieces, open_tokenizer
from sentencepiece import SentencePieceProcessor

from sed.config import DataConfig
from sed.data.documents import KJV_VOCAB, VOCABULARY_NAME, Document, split_documents

Tokens = Int[np.ndarray, " tokens"]
Windows = Int[np.ndarray, "count length"]

# Ids in front of those of the tokenizer: padding, and the end of a document.
PAD, END, SPECIAL_TOKENS = 0, 1, 2

# Their names in tables of embeddings.
SPECIAL_NAMES = ("<pad>", "</s>")


class TextCodec:
    """Text as tokens and back, with ids for padding and the end of a document in front.

    Args:
        kind: `tokens` of the data.
        tokenizer: of that kind.
    """

    def __init__(self, kind: str, tokenizer: Tokenizer) -> None:
        self.kind, self.tokenizer = kind, tokenizer
        self.vocab_size = tokenizer.vocab_size + SPECIAL_TOKENS

    def encode(self, text: str) -> Tokens:
        """Tokens of a text."""
        return self.tokenizer.encode(text) + SPECIAL_TOKENS

    def decode(self, tokens: Tokens) -> str:
        """The text of tokens: padding is left out, and a document's end becomes a line break."""
        parts = np.split(np.asarray(tokens), np.flatnonzero(np.asarray(tokens) == END))
        return "\n".join(self.tokenizer.decode(part[part >= SPECIAL_TOKENS] - SPECIAL_TOKENS) for part in parts)

    def names(self) -> list[str]:
        """A name for each token in the order of their ids: the character, or the piece with U+2581 for spaces."""
        if isinstance(self.tokenizer, PieceTokenizer):
            processor = SentencePieceProcessor()
            processor.LoadFromSerializedProto(*self.tokenizer.saved_files().values())
            return [*SPECIAL_NAMES, *map(processor.IdToPiece, range(self.tokenizer.vocab_size))]
        return [*SPECIAL_NAMES, *(self.tokenizer.decode(np.array([id_])) for id_ in range(self.tokenizer.vocab_size))]


class Corpus(NamedTuple):
    """The documents of each part one after the other, as tokens, with an end after each."""

    codec: TextCodec
    train: Tokens
    validation: Tokens
    test: Tokens


def saved_codec(kind: str, read: Callable[[str], bytes]) -> TextCodec:
    """The codec of a trained network, from the files saved beside its weights."""
    return TextCodec(kind, open_tokenizer(kind, read))


def load(config: DataConfig, vocab_size: int) -> Corpus:
    """The tokens of a dataset, with the tokenizer that ships with it or one learned from its training part.

    Args:
        config: the dataset.
        vocab_size: V with padding and document ends.

    Raises:
        UsageError: missing data, too little text for the vocabulary, or not the number of characters of the text.
    """
    return tokenize(config, learn_codec(config, vocab_size))


@lru_cache(maxsize=2)
def learn_codec(config: DataConfig, vocab_size: int) -> TextCodec:
    """The tokenizer of a dataset; arguments and errors as for `load`."""
    if config.dataset == "kjv" and config.tokens == "pieces" and vocab_size == KJV_VOCAB:
        return TextCodec("pieces", PieceTokenizer(embedded("sed", VOCABULARY_NAME).read_bytes()))
    texts = [document.text for document in split_documents(config).train]
    if config.tokens == "pieces":
        if vocab_size <= SPECIAL_TOKENS:
            raise UsageError(f"vocab_size is {vocab_size}, expected more than padding and the end of a document")
        pieces = learn_pieces(texts, vocab_size - SPECIAL_TOKENS, cached=True)
        return TextCodec("pieces", PieceTokenizer(pieces))
    codec = TextCodec("characters", CharacterTokenizer.learn(texts))
    if codec.vocab_size != vocab_size:
        raise UsageError(
            f"vocab_size is {vocab_size}, expected {codec.vocab_size}, the characters of the training text with "
            f"padding and document ends; give --model.vocab-size {codec.vocab_size}"
        )
    return codec


@lru_cache(maxsize=2)
def tokenize(config: DataConfig, codec: TextCodec) -> Corpus:
    """The parts of a dataset as tokens of a given tokenizer.

    Raises:
        UsageError: missing data, or text that the tokenizer cannot write.
    """
    return Corpus(codec, *(_join(codec, part) for part in split_documents(config)))


def _join(codec: TextCodec, documents: Sequence[Document]) -> Tokens:
    # The space in front makes the first word a token as in the middle of a text.
    front = " " if codec.kind == "pieces" else ""
    parts = [np.append(codec.encode(f"{front}{document.text}"), END) for document in documents]
    return np.concatenate(parts).astype(np.int32) if parts else np.zeros(0, np.int32)


def check_length(tokens: Tokens, length: int, part: str) -> None:
    """Raise `UsageError` for a part shorter than a window."""
    if len(tokens) < length:
        raise UsageError(f"the {part} part has {len(tokens)} tokens, expected at least length, which is {length}")


def check_tokens(tokens: Tokens, vocab_size: int, part: str) -> None:
    """Raise `UsageError` for tokens outside the vocabulary."""
    if len(tokens) and not 0 <= int(tokens.min()) <= int(tokens.max()) < vocab_size:
        raise UsageError(
            f"the {part} part has tokens from {tokens.min()} to {tokens.max()}, expected 0 to {vocab_size - 1}; set "
            "--model.vocab-size"
        )


def text_positions(
    generator: np.random.Generator, count: int, length: int, config: DataConfig
) -> Bool[np.ndarray, "count length"]:
    """Where windows have text; padding is elsewhere, at uniformly random positions (paper, section 4.1)."""
    draws = generator.random((count, length))
    if config.padding == "bernoulli":
        return draws >= config.pad_fraction
    return draws.argsort(axis=1).argsort(axis=1) >= round(config.pad_fraction * length)


def cut_windows(
    tokens: Tokens, starts: Int[np.ndarray, " count"], is_text: Bool[np.ndarray, "count length"]
) -> Windows:
    """Windows of a text in order from each start on, around padding."""
    return np.where(is_text, tokens[starts[:, None] + np.maximum(is_text.cumsum(axis=1) - 1, 0)], PAD)


def window_batches(
    tokens: Tokens, length: int, batch_size: int, config: DataConfig, *, seed: int, rank: int = 0, world: int = 1
) -> Callable[[int], Windows]:
    """Windows that begin anywhere, as a function of the step."""

    def make(generator: np.random.Generator, count: int) -> Windows:
        starts = generator.integers(0, len(tokens) - length + 1, count)
        return cut_windows(tokens, starts, text_positions(generator, count, length, config))

    return random_batches(make, batch_size, seed=seed, rank=rank, world=world)


def held_out_windows(tokens: Tokens, length: int, count: int, config: DataConfig, *, seed: int = 0) -> Windows:
    """Windows spread evenly over a part, which do not overlap where there is room; fewer if the part is short."""
    count = max(1, min(count, len(tokens) // length))
    starts = np.linspace(0, len(tokens) - length, count).astype(int)
    return cut_windows(tokens, starts, text_positions(np.random.default_rng(seed), count, length, config))


def strip_pads(windows: Windows, mask: np.ndarray | None = None) -> tuple[Windows, np.ndarray]:
    """Windows whose padding is moved to the end, and a mask of their tokens moved alike, false at padding.

    Args:
        windows: tokens.
        mask: of tokens of interest; None: all.
    """
    mask = np.ones(windows.shape, bool) if mask is None else mask
    order = np.argsort(windows == PAD, axis=1, kind="stable")
    moved = np.take_along_axis(windows, order, axis=1)
    return moved, np.take_along_axis(mask, order, axis=1) & (moved != PAD)
