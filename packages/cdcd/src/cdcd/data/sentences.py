"""Sentences as tokens: begin, SentencePiece tokens of both languages together, end, and padding."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from onepaper.data import BatchSampler
from onepaper.errors import UsageError
from onepaper.text import PieceTokenizer, Tokenizer, learn_pieces

from cdcd.config import PairsConfig
from cdcd.data.parallel import Pair, open_pairs

# Reserved tokens; those of the tokenizer follow.
PADDING, BEGIN, END, RESERVED = 0, 1, 2, 3

Batch = tuple[Int[np.ndarray, "batch source_length"], Int[np.ndarray, "batch length"]]


class SentenceCodec:
    """Sentences as rows of fixed length and back.

    Args:
        tokenizer: of both languages.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.vocab_size = tokenizer.vocab_size + RESERVED

    def encode_source(self, text: str, length: int) -> Int[np.ndarray, " length"] | None:
        """Tokens, end, padding; None if they are too many."""
        return self._encode(text, [], length)

    def encode_target(self, text: str, length: int) -> Int[np.ndarray, " length"] | None:
        """Begin, tokens, end, padding (paper, section 4.4); None if they are too many."""
        return self._encode(text, [BEGIN], length)

    def _encode(self, text: str, start: list[int], length: int) -> Int[np.ndarray, " length"] | None:
        tokens = [*start, *(self.tokenizer.encode(text) + RESERVED).tolist(), END]
        if len(tokens) > length:
            return None
        return np.array(tokens + [PADDING] * (length - len(tokens)), np.int32)

    def decode(self, tokens: Int[np.ndarray, " length"]) -> str:
        """The text up to the first end; other reserved tokens are left out."""
        row = np.asarray(tokens)
        ends = np.flatnonzero(row == END)
        row = row[: ends[0]] if len(ends) else row
        return self.tokenizer.decode(row[row >= RESERVED] - RESERVED).strip()


class Sentences(NamedTuple):
    """Pairs as tokens, and as texts.

    Attributes:
        source: tokens of the sources.
        target: tokens of their translations.
        pairs: both as texts.
        left_out: number of pairs that are too long.
    """

    source: Int[np.ndarray, "pairs source_length"]
    target: Int[np.ndarray, "pairs length"]
    pairs: list[Pair]
    left_out: int


class ParallelCorpus(NamedTuple):
    """The parts of parallel text as tokens."""

    codec: SentenceCodec
    train: Sentences
    validation: Sentences
    test: Sentences


@lru_cache(maxsize=2)
def load_pairs(config: PairsConfig, vocab_size: int, source_length: int, length: int) -> ParallelCorpus:
    """Parallel text as tokens; the tokenizer is trained on the training part of both languages.

    Args:
        config: the text.
        vocab_size: number of tokens, the three reserved ones included.
        source_length: longest source; longer ones are left out.
        length: longest target; longer ones are left out.

    Raises:
        UsageError: missing or wrong files, too little text for the vocabulary, or no pair that is short enough.
    """
    parts = open_pairs(config)
    # Both languages of each pair stand together, so that the beginning of a large corpus has both.
    texts = [text for pair in parts.train for text in pair]
    codec = SentenceCodec(PieceTokenizer(learn_pieces(texts, vocab_size - RESERVED, cached=True)))
    found = [encode_pairs(codec, part, source_length, length) for part in parts]
    for name, sentences in zip(parts._fields, found, strict=True):
        if not sentences.pairs:
            raise UsageError(f"the {name} part has no pair of at most {source_length} and {length} tokens")
    return ParallelCorpus(codec, *found)


def encode_pairs(codec: SentenceCodec, pairs: Sequence[Pair], source_length: int, length: int) -> Sentences:
    """The pairs that are short enough."""
    rows = [
        (source, target, pair)
        for pair in pairs
        if (source := codec.encode_source(pair.source, source_length)) is not None
        and (target := codec.encode_target(pair.target, length)) is not None
    ]
    return Sentences(
        np.array([row[0] for row in rows], np.int32).reshape(len(rows), source_length),
        np.array([row[1] for row in rows], np.int32).reshape(len(rows), length),
        [row[2] for row in rows],
        len(pairs) - len(rows),
    )


def pair_batches(
    sentences: Sentences, batch_size: int, *, seed: int, rank: int = 0, world: int = 1
) -> Callable[[int], Batch]:
    """Every pair once in each epoch, as a function of the step."""
    sampler = BatchSampler(len(sentences.pairs), batch_size, seed=seed, rank=rank, world=world)

    def batch(step: int) -> Batch:
        rows = sampler(step)
        return sentences.source[rows], sentences.target[rows]

    return batch
