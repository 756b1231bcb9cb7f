"""Word vectors against counts by hand, and on words whose neighbours are known."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from sed.data.word_vectors import CONTEXT_POWER, count_vectors, split_words


def test_words() -> None:
    assert split_words("And the LORD’s hand, 12 men: don't") == ["and", "the", "lord’s", "hand", "men", "don't"]


def test_products_are_the_reduced_information() -> None:
    """Vectors U S^(1/2) of a symmetric matrix with positive eigenvalues in front have its products."""
    generator = np.random.default_rng(0)
    names = ["aaa", "bbb", "ccc", "ddd", "eee"]
    texts = [" ".join(generator.choice(names, 200, p=[0.4, 0.3, 0.1, 0.1, 0.1])) for _ in range(3)]
    found = count_vectors(texts, 4, least_count=1)
    counts = np.zeros((5, 5))
    for text in texts:
        ids = [found.words.index(word) for word in text.split()]
        for at, first in enumerate(ids):
            for second in ids[max(0, at - 4) : at] + ids[at + 1 : at + 5]:
                counts[first, second] += 1
    contexts = counts.sum(axis=0) ** CONTEXT_POWER
    information = np.maximum(np.log(counts / (counts.sum(axis=1)[:, None] * contexts / contexts.sum())), 0)
    left, values, _ = np.linalg.svd(information)
    expected = left[:, :4] * np.sqrt(values[:4])
    np.testing.assert_allclose(found.vectors @ found.vectors.T, expected @ expected.T, atol=1e-8)


def test_words_of_one_topic_are_near() -> None:
    generator = np.random.default_rng(0)
    topics = [["king", "throne", "crown", "realm"], ["bread", "wine", "corn", "meat"]]
    texts = [" ".join(generator.choice(topics[number % 2], 60)) for number in range(40)]
    words, vectors = count_vectors(texts, 2)
    products = vectors @ vectors.T
    king = products[words.index("king")]
    assert king[words.index("throne")] > 10 * abs(king[words.index("bread")])


def test_too_few_words() -> None:
    with pytest.raises(UsageError, match="1 frequent words, expected more than the 4"):
        count_vectors(["word " * 50], 4)
