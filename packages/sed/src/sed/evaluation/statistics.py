"""Statistics of samples that need no model: entropy of tokens, repetition, and copies of the training text."""

import numpy as np
from jaxtyping import Bool, Int
from onepaper.errors import UsageError

# Tokens of a run that counts as copied from the training text.
COPY_SIZE = 8


def unigram_entropy(tokens: Int[np.ndarray, " tokens"], limit: int = 0, *, corrected: bool = False) -> float:
    """Entropy in nats of the tokens of all samples together.

    The estimate grows with the number of tokens: compare at the same number.

    Args:
        tokens: of all samples, without padding.
        limit: take the first so many; 0: all.
        corrected: add (K - 1) / 2n for K different tokens among n (Miller, 1955).

    Raises:
        UsageError: fewer tokens than the limit, or none.
    """
    if tokens.size < max(limit, 1):
        raise UsageError(f"there are {tokens.size} tokens, expected at least {max(limit, 1)}")
    counts = np.unique(tokens[:limit] if limit else tokens, return_counts=True)[1]
    probs = counts / counts.sum()
    entropy = float(-(probs * np.log(probs)).sum())
    return entropy + (len(counts) - 1) / (2 * counts.sum()) if corrected else entropy


def most_common_share(tokens: Int[np.ndarray, " tokens"]) -> float:
    """Fraction of the most frequent token."""
    return float(np.unique(tokens, return_counts=True)[1].max() / tokens.size) if tokens.size else 0.0


def _runs(tokens: np.ndarray, mask: np.ndarray, size: int) -> list[np.ndarray]:
    """n-grams of each sample whose tokens are all in the mask."""
    windows = np.lib.stride_tricks.sliding_window_view(tokens, size, axis=1)
    inside = np.asarray(np.lib.stride_tricks.sliding_window_view(mask, size, axis=1).all(axis=-1))
    return [row[chosen] for row, chosen in zip(windows, inside, strict=True)]


def repetition(tokens: Int[np.ndarray, "count length"], mask: Bool[np.ndarray, "count length"], size: int = 4) -> float:
    """Fraction of n-grams that their own sample has had before.

    Args:
        tokens: samples.
        mask: true at the tokens that count.
        size: n.
    """
    runs = _runs(tokens, mask, size)
    total = sum(map(len, runs))
    return 1.0 - sum(len(np.unique(run, axis=0)) for run in runs if len(run)) / total if total else 0.0


def distinct(tokens: Int[np.ndarray, "count length"], mask: Bool[np.ndarray, "count length"], size: int) -> float:
    """Different n-grams of all samples, as a fraction of their number; arguments as for `repetition`."""
    runs = np.concatenate(_runs(tokens, mask, size))
    return len(np.unique(runs, axis=0)) / len(runs) if len(runs) else 0.0


class CopyRate:
    """Looks up n-grams of samples in a training text.

    Args:
        text: tokens of the training text.
        size: n.
    """

    def __init__(self, text: Int[np.ndarray, " tokens"], size: int = COPY_SIZE) -> None:
        self.size = size
        self._known = np.unique(_numbers(np.lib.stride_tricks.sliding_window_view(text, size)))

    def __call__(self, tokens: Int[np.ndarray, "count length"], mask: Bool[np.ndarray, "count length"]) -> float:
        """Fraction of the n-grams of samples that are in the text; 1 for the text itself."""
        runs = np.concatenate(_runs(tokens, mask, self.size))
        return float(np.isin(_numbers(runs), self._known).mean()) if len(runs) else 0.0


def _numbers(runs: np.ndarray) -> np.ndarray:
    """64-bit numbers of n-grams; two n-grams share one by chance with probability 2^-64."""
    factors = np.random.default_rng(0).integers(0, 2**63, runs.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
    mixed = (runs.astype(np.uint64) + np.uint64(1)) * factors
    return (mixed ^ (mixed >> np.uint64(29))).sum(axis=1, dtype=np.uint64)
