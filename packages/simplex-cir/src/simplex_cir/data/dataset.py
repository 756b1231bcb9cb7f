"""Categorical sequences as token arrays, and a data set in three parts.

Tokens are integers [count, positions] below the number of symbols.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from onepaper.errors import UsageError

Tokens = Int[np.ndarray, "count positions"]
# Shares of training and validation in a random split; the rest is for the test.
TRAIN_SHARE, VALIDATION_SHARE = 0.8, 0.1
# Random splits are fixed.
SPLIT_SEED = 0


@dataclass(frozen=True, eq=False)
class Dataset:
    """Tokens in three parts: training, validation, test.

    Attributes:
        symbols: the symbol of each token, e.g. "ACGU".
        train: [count, positions].
        validation: for choices of settings.
        test: for reported numbers.
        labels: the class of every sequence, for each part; None without classes.
        aligned: whether a position means the same in every sequence; windows cut from longer texts are not aligned.
    """

    symbols: str
    train: Int[np.ndarray, "train positions"]
    validation: Int[np.ndarray, "validation positions"]
    test: Int[np.ndarray, "test positions"]
    labels: tuple[Int[np.ndarray, " _"], ...] | None = None
    aligned: bool = True

    @property
    def num_categories(self) -> int:
        """n."""
        return len(self.symbols)

    @property
    def positions(self) -> int:
        """Length of a sequence."""
        return self.train.shape[1]


def empirical_distribution(
    tokens: Tokens,
) -> tuple[Int[np.ndarray, "distinct positions"], Float[np.ndarray, " distinct"]]:
    """The distinct sequences and their frequencies."""
    distinct, counts = np.unique(tokens, axis=0, return_counts=True)
    return distinct, counts / counts.sum()


def entropy(tokens: Tokens) -> float:
    """Entropy of the empirical distribution of sequences, nats."""
    _, shares = empirical_distribution(tokens)
    return float(-(shares * np.log(shares)).sum())


def encode(texts: list[str], symbols: str) -> Tokens:
    """Tokens of texts of equal length.

    Raises:
        UsageError: unequal lengths, or a symbol that is not in `symbols`.
    """
    lengths = sorted({len(text) for text in texts})
    if len(lengths) != 1:
        raise UsageError(f"texts have lengths {lengths[:5]}, expected equal ones")
    unknown = sorted(set("".join(texts)) - set(symbols))
    if unknown:
        raise UsageError(f"text has the symbols {''.join(unknown[:10])!r}, expected only those of {symbols!r}")
    lookup = np.zeros(max(map(ord, symbols)) + 1, dtype=np.int64)
    lookup[[ord(symbol) for symbol in symbols]] = np.arange(len(symbols))
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    return lookup[codes].reshape(len(texts), lengths[0])


def decode(tokens: Tokens, symbols: str) -> list[str]:
    """Tokens as texts."""
    return ["".join(symbols[token] for token in row) for row in np.asarray(tokens)]


def split(tokens: Tokens, symbols: str) -> Dataset:
    """The first `TRAIN_SHARE` for training, the next `VALIDATION_SHARE` for validation, the rest for the test."""
    train, validation, test = np.split(tokens, part_ends(len(tokens)))
    return Dataset(symbols, train, validation, test)


def part_ends(count: int) -> list[int]:
    """Where the training part and the validation part of `split` end."""
    return [int(count * TRAIN_SHARE), int(count * (TRAIN_SHARE + VALIDATION_SHARE))]
