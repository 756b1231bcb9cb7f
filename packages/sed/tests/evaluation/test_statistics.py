"""Statistics of samples on samples whose values are known."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from sed.evaluation.statistics import CopyRate, distinct, most_common_share, repetition, unigram_entropy

ALL = np.ones((2, 6), bool)


def test_entropy() -> None:
    assert unigram_entropy(np.full(10, 3)) == 0
    assert unigram_entropy(np.arange(8)) == pytest.approx(np.log(8))
    assert unigram_entropy(np.arange(8), 4) == pytest.approx(np.log(4))
    assert unigram_entropy(np.arange(8), corrected=True) == pytest.approx(np.log(8) + 7 / 16)
    with pytest.raises(UsageError, match="there are 3 tokens, expected at least 4"):
        unigram_entropy(np.arange(3), 4)


def test_corrected_entropy_has_less_bias() -> None:
    draws = np.random.default_rng(0).integers(0, 50, (400, 200))
    plain, corrected = (np.mean([unigram_entropy(row, corrected=c) for row in draws]) for c in (False, True))
    assert abs(corrected - np.log(50)) < abs(plain - np.log(50)) / 4


def test_repetition_and_distinct() -> None:
    tokens = np.array([[1, 2, 1, 2, 1, 2], [1, 2, 3, 4, 5, 6]])
    assert repetition(tokens, ALL, 2) == pytest.approx(3 / 10)
    assert distinct(tokens, ALL, 2) == pytest.approx(6 / 10)
    first = np.array([[True] * 3 + [False] * 3, [False] * 6])
    assert repetition(tokens, first, 2) == 0
    assert distinct(tokens, first, 2) == 1
    assert repetition(tokens, ~ALL, 2) == 0


def test_copies() -> None:
    text = np.random.default_rng(0).integers(0, 100, 5000)
    copies = CopyRate(text, 4)
    windows = text[np.arange(0, 4000, 100)[:, None] + np.arange(20)]
    mask = np.ones(windows.shape, bool)
    assert copies(windows, mask) == 1
    assert copies(windows[:, ::-1], mask) < 0.01
    half = np.where(np.arange(20) < 10, windows, 100 + windows)
    assert copies(half, mask) == pytest.approx(7 / 17)


def test_most_common() -> None:
    assert most_common_share(np.array([1, 1, 2, 3])) == 0.5
