"""Statistics of samples that need no model: entropy of tokens and repetition."""

import numpy as np
from jaxtyping import Int
from onepaper.errors import UsageError


def unigram_entropy(tokens: Int[np.ndarray, "*batch"], limit: int = 0) -> float:
    """Entropy in nats of the tokens of all samples together (paper, section 6.2).

    The estimate grows with the number of tokens: compare at the same number.

    Args:
        tokens: of all samples.
        limit: take the first so many; 0: all.

    Raises:
        UsageError: fewer tokens than the limit, or none.
    """
    flat = tokens.reshape(-1)
    if flat.size < max(limit, 1):
        raise UsageError(f"there are {flat.size} tokens, expected at least {max(limit, 1)}")
    counts = np.unique(flat[:limit] if limit else flat, return_counts=True)[1]
    probs = counts / counts.sum()
    return float(-(probs * np.log(probs)).sum())


def repetition(tokens: Int[np.ndarray, "count length"], size: int = 4) -> float:
    """Fraction of n-grams that their own sample has had before."""
    if tokens.shape[1] < size:
        raise UsageError(f"samples have {tokens.shape[1]} tokens, expected at least {size}, the size of the n-grams")
    windows = np.lib.stride_tricks.sliding_window_view(tokens, size, axis=1)
    different = sum(len(np.unique(row, axis=0)) for row in windows)
    return 1.0 - different / (windows.shape[0] * windows.shape[1])


def distinct(tokens: Int[np.ndarray, "count length"], size: int) -> float:
    """Different n-grams of all samples, as a fraction of their number."""
    windows = np.lib.stride_tricks.sliding_window_view(tokens, size, axis=1).reshape(-1, size)
    return len(np.unique(windows, axis=0)) / len(windows)
