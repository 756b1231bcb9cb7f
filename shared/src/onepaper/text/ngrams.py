r"""Interpolated Kneser-Ney n-grams (Kneser and Ney, 1995), a second opinion on samples that needs no training.

$$p_k(w \mid c) = \max(n(cw) - D_k, 0) / n(c) + D_k\, N(c) / n(c)\; p_{k-1}(w \mid c')$$

with the context c without its first token as c', $N(c)$ different tokens after c, and $p_0 = 1/V$. Counts n of the
highest order are of occurrences; those of lower orders are of different tokens in front.
$D_k = n_1 / (n_1 + 2 n_2)$ from the n-grams seen once and twice.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from onepaper.config import check_positive
from onepaper.errors import UsageError


class _Order(NamedTuple):
    """n-grams of one order as sorted numbers in base V, and their contexts."""

    grams: np.ndarray
    counts: np.ndarray
    contexts: np.ndarray
    totals: np.ndarray
    followers: np.ndarray
    discount: float


class KneserNey:
    """Probabilities of tokens given the ones before.

    Args:
        tokens: a text.
        vocab_size: V.
        order: n, tokens of the longest n-gram; lower where V^n is too large for 63 bits.

    Raises:
        UsageError: a text shorter than n, or tokens outside the vocabulary.
    """

    def __init__(self, tokens: Int[np.ndarray, " tokens"], vocab_size: int, order: int = 5) -> None:
        check_positive("order", order)
        self.vocab_size = vocab_size
        self.order = min(order, int(62 / np.log2(max(2, vocab_size))))
        if len(tokens) < self.order:
            raise UsageError(f"the text has {len(tokens)} tokens, expected at least {self.order}")
        if not (tokens.min() >= 0 and tokens.max() < vocab_size):
            raise UsageError(f"tokens are {tokens.min()} to {tokens.max()}, expected 0 to {vocab_size - 1}")
        grams, counts = np.unique(self._numbers(tokens.astype(np.int64), self.order), return_counts=True)
        orders = [self._order(grams, counts)]
        for shorter in range(self.order - 1, 0, -1):
            grams, counts = np.unique(grams % vocab_size**shorter, return_counts=True)
            orders.append(self._order(grams, counts))
        self._orders = orders[::-1]

    def nats(self, sequences: Int[np.ndarray, "batch length"]) -> Float[np.ndarray, "batch length"]:
        """-ln p of each token given the tokens before it in its sequence, at most n - 1 of them."""
        rows = sequences.astype(np.int64)
        probs = np.full(rows.shape, 1.0 / self.vocab_size)
        for length, order in enumerate(self._orders, 1):
            if length > rows.shape[1]:
                break
            numbers = np.stack([self._numbers(row, length) for row in rows])
            probs[:, length - 1 :] = self._interpolate(order, numbers, probs[:, length - 1 :])
        return -np.log(probs)

    def _numbers(self, tokens: np.ndarray, length: int) -> np.ndarray:
        """n-grams as numbers in base V, the first token in front."""
        windows = np.lib.stride_tricks.sliding_window_view(tokens, length)
        return windows @ (self.vocab_size ** np.arange(length - 1, -1, -1, dtype=np.int64))

    def _order(self, grams: np.ndarray, counts: np.ndarray) -> _Order:
        contexts, starts = np.unique(grams // self.vocab_size, return_index=True)
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        discount = once / (once + 2 * twice) if once else 0.5
        totals = np.add.reduceat(counts, starts)
        followers = np.diff(np.append(starts, len(grams)))
        return _Order(grams, counts, contexts, totals, followers, discount)

    def _interpolate(self, order: _Order, numbers: np.ndarray, lower: np.ndarray) -> np.ndarray:
        counts = _lookup(order.grams, order.counts, numbers)
        contexts = numbers // self.vocab_size
        totals = _lookup(order.contexts, order.totals, contexts)
        followers = _lookup(order.contexts, order.followers, contexts)
        seen = np.maximum(totals, 1)
        found = np.maximum(counts - order.discount, 0) / seen + order.discount * followers / seen * lower
        return np.where(totals > 0, found, lower)


def _lookup(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)
