"""Entropy and repetition by hand."""

import numpy as np
import pytest
from onepaper.errors import UsageError
from scipy.stats import entropy

from cdcd.evaluation.statistics import distinct, repetition, unigram_entropy


def test_entropy() -> None:
    tokens = np.array([[0, 0, 1], [2, 1, 0]])
    assert unigram_entropy(tokens) == pytest.approx(entropy([3, 2, 1]))
    assert unigram_entropy(tokens, limit=2) == 0.0
    with pytest.raises(UsageError, match="there are 6 tokens, expected at least 7"):
        unigram_entropy(tokens, limit=7)


def test_repetition() -> None:
    tokens = np.array([[1, 2, 1, 2, 1, 2, 1], [1, 2, 3, 4, 5, 6, 7]])
    assert repetition(tokens, 4) == pytest.approx(1 - (2 + 4) / 8)
    with pytest.raises(UsageError, match="samples have 3 tokens"):
        repetition(tokens[:, :3])


def test_distinct() -> None:
    assert distinct(np.array([[1, 1, 2], [1, 1, 3]]), 2) == pytest.approx(3 / 4)
