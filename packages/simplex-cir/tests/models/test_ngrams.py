import math

import numpy as np
import pytest

from simplex_cir.models.ngrams import best_ngrams, ngram_nats

TRAIN = np.array([[0, 1, 1], [0, 1, 0], [1, 1, 0]])
TEST = np.array([[0, 1, 0], [1, 0, 0]])


def by_hand(sequence: list[int], order: int, positional: bool) -> float:
    """Dictionaries and loops instead of codes and arrays."""
    nats = 0.0
    for position in range(len(sequence)):
        probability = 1 / 2
        for length in range(1, min(order, position + 1) + 1):
            window = sequence[position - length + 1 : position + 1]
            starts = [position - length + 1] if positional else range(len(sequence) - length + 1)
            seen = [list(row[start : start + length]) for row in TRAIN for start in starts]
            same = sum(other[:-1] == window[:-1] for other in seen)
            probability = (seen.count(window) + probability) / (same + 1)
        nats -= math.log(probability)
    return nats


@pytest.mark.parametrize("positional", [False, True])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_against_loops(order: int, positional: bool) -> None:
    expected = [by_hand(list(row), order, positional) for row in TEST]
    np.testing.assert_allclose(ngram_nats(TRAIN, TEST, 2, order, positional=positional), expected)


def test_a_chain_is_learnt_by_two_grams() -> None:
    generator = np.random.default_rng(0)
    flips = generator.random((4000, 20)) < 0.1
    tokens = np.cumsum(flips, axis=1) % 2
    rate = -0.1 * math.log(0.1) - 0.9 * math.log(0.9)
    train, test = tokens[:2000], tokens[2000:]
    assert ngram_nats(train, test, 2, 1).mean() > 20 * 0.6
    # the first token is 1 in a tenth of the sequences; everywhere half are
    assert ngram_nats(train, test, 2, 2).mean() == pytest.approx(19 * rate + math.log(2), rel=0.03)


def test_the_best_order_is_that_of_the_chain() -> None:
    """Tokens that depend on the two before: order 3, as near to the entropy as its counts allow; not positional."""
    generator = np.random.default_rng(1)
    tokens = list(generator.integers(0, 2, 2))
    for noisy in generator.random(40_000) < 0.2:
        tokens.append((tokens[-1] ^ tokens[-2]) ^ int(noisy))
    train, validation, test = np.split(np.array(tokens[:40_000]).reshape(-1, 20), [1600, 1800])
    best = best_ngrams(train, validation, test, 2)
    assert best.order == 3
    rate = -0.2 * math.log(0.2) - 0.8 * math.log(0.8)
    assert best.nats.mean() == pytest.approx(18 * rate + 2 * math.log(2), rel=0.03)
