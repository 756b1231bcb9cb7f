"""Kneser-Ney against a recursion with dictionaries."""

from collections import Counter

import numpy as np
import pytest

from onepaper.errors import UsageError
from onepaper.text import KneserNey

TEXT = np.random.default_rng(0).choice(5, 300, p=[0.4, 0.3, 0.15, 0.1, 0.05])


def naive(text: list[int], vocab_size: int, order: int, context: tuple[int, ...], word: int) -> float:
    """p(word | context) from the formula."""
    grams = {order: Counter(tuple(text[i : i + order]) for i in range(len(text) - order + 1))}
    for k in range(order - 1, 0, -1):
        grams[k] = Counter(gram[1:] for gram in grams[k + 1])

    def prob(k: int, context: tuple[int, ...]) -> float:
        if k == 0:
            return 1 / vocab_size
        counts = grams[k]
        followers = [value for gram, value in counts.items() if gram[:-1] == context]
        lower = prob(k - 1, context[1:])
        if not followers:
            return lower
        once, twice = (sum(value == n for value in counts.values()) for n in (1, 2))
        discount = once / (once + 2 * twice) if once else 0.5
        own = max(counts[(*context, word)] - discount, 0)
        return (own + discount * len(followers) * lower) / sum(followers)

    return prob(len(context) + 1, context)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_against_the_formula(order: int) -> None:
    model = KneserNey(TEXT, 6, order)
    sequence = np.array([0, 1, 5, 0, 2, 4])
    found = np.exp(-model.nats(sequence[None])[0])
    for place, word in enumerate(sequence):
        context = tuple(int(token) for token in sequence[max(0, place - order + 1) : place])
        assert found[place] == pytest.approx(naive(TEXT.tolist(), 6, order, context, int(word)), rel=1e-9)


def test_probabilities_sum_to_one() -> None:
    model = KneserNey(TEXT, 6, 3)
    for context in ([0, 1], [5, 5], [4, 0]):
        rows = np.array([[*context, word] for word in range(6)])
        assert np.exp(-model.nats(rows)[:, -1]).sum() == pytest.approx(1.0)


def test_a_large_vocabulary_has_shorter_ngrams() -> None:
    assert KneserNey(TEXT, 32_000, 5).order == 4


def test_wrong_texts_are_refused() -> None:
    with pytest.raises(UsageError, match="2 tokens, expected at least 3"):
        KneserNey(TEXT[:2], 6, 3)
    with pytest.raises(UsageError, match="expected 0 to 2"):
        KneserNey(TEXT, 3)
