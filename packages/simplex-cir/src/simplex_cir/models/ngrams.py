r"""n-gram models, the count-based baselines of the networks.

An n-gram model predicts a token from the n - 1 before it. Counts of long contexts are small, so each order
is interpolated with the one below,

$$p_o(x | c) = \frac{N(c, x) + s\, p_{o-1}(x | c')}{N(c) + s},$$

with c' the context without its first token, $p_0$ uniform, and s = 1 unless it is chosen. Contexts do not go beyond the
start of a sequence, so the first tokens have shorter ones, as for every model of windows.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

STRENGTH = 1.0
# Orders and strengths of which `best_ngrams` takes the best: all orders whose table has at most this many counts.
STRENGTHS, MAX_COUNTS = (1.0, 4.0, 16.0, 64.0), 4_200_000


class BestNgrams(NamedTuple):
    """The n-gram model that a network has to exceed.

    Attributes:
        order: n, the best on the validation part.
        strength: s, likewise.
        nats: minus the log probability of each test sequence.
    """

    order: int
    strength: float
    nats: Float[np.ndarray, " test"]


def best_ngrams(
    train: Int[np.ndarray, "train positions"],
    validation: Int[np.ndarray, "validation positions"],
    test: Int[np.ndarray, "test positions"],
    num_categories: int,
    *,
    positional: bool = False,
) -> BestNgrams:
    """The n-gram model of the training sequences whose order and strength are the best on the validation sequences."""
    highest = min(int(math.log(MAX_COUNTS, num_categories)), train.shape[1])
    choices = itertools.product(range(1, highest + 1), STRENGTHS)

    def nats(tokens: np.ndarray, choice: tuple[int, float]) -> np.ndarray:
        return ngram_nats(train, tokens, num_categories, choice[0], positional=positional, strength=choice[1])

    order, strength = min(choices, key=lambda choice: float(nats(validation, choice).mean()))
    return BestNgrams(order, strength, nats(test, (order, strength)))


def ngram_nats(
    train: Int[np.ndarray, "train positions"],
    test: Int[np.ndarray, "test positions"],
    num_categories: int,
    order: int,
    *,
    positional: bool = False,
    strength: float = STRENGTH,
) -> Float[np.ndarray, " test"]:
    """Minus the log probability of each test sequence under an n-gram model of the training sequences, nats.

    Args:
        train: sequences to count in.
        test: sequences to predict.
        num_categories: of the tokens.
        order: n; 1 for independent tokens, 2 for a Markov chain.
        positional: separate counts for each position, for aligned sequences.
        strength: s.
    """
    nats = np.zeros(len(test))
    everywhere = {} if positional else {o: _counts(_windows(train, o), num_categories) for o in range(1, order + 1)}
    for position in range(test.shape[1]):
        probability = np.full(len(test), 1 / num_categories)
        for o in range(1, min(order, position + 1) + 1):
            here = slice(position - o + 1, position + 1)
            counts = _counts(train[:, here], num_categories) if positional else everywhere[o]
            contexts, tokens = np.divmod(_codes(test[:, here], num_categories), num_categories)
            found, seen = counts[contexts, tokens], counts.sum(axis=1)[contexts]
            probability = (found + strength * probability) / (seen + strength)
        nats -= np.log(probability)
    return nats


def _windows(tokens: np.ndarray, length: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(tokens, length, axis=1).reshape(-1, length)


def _codes(windows: np.ndarray, n: int) -> np.ndarray:
    return windows.astype(np.int64) @ n ** np.arange(windows.shape[1])[::-1]


def _counts(windows: np.ndarray, n: int) -> np.ndarray:
    """[contexts, n]."""
    return np.bincount(_codes(windows, n), minlength=n ** windows.shape[1]).reshape(-1, n)
