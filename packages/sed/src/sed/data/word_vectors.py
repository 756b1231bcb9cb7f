"""Word vectors from counts of neighbouring words: a table of real text that needs no training.

Positive pointwise mutual information of words within a window, reduced by a singular value decomposition, with
singular values to the power 1/2 and contexts smoothed by the power 3/4 (Levy, Goldberg and Dagan, 2015).
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from jaxtyping import Float
from onepaper.errors import UsageError

WINDOW, CONTEXT_POWER, VALUE_POWER = 4, 0.75, 0.5


class WordVectors(NamedTuple):
    """Words by frequency, and a vector for each."""

    words: list[str]
    vectors: Float[np.ndarray, "words width"]


def split_words(text: str) -> list[str]:
    """Words of letters and apostrophes, in lower case."""
    return re.findall(r"[^\W\d_]+(?:[’'][^\W\d_]+)*", text.lower())


def count_vectors(texts: Sequence[str], width: int, *, least_count: int = 10, least_letters: int = 3) -> WordVectors:
    """Vectors of the words of some texts.

    Args:
        texts: documents; a window does not cross their ends.
        width: of the vectors, less than the number of words.
        least_count: rarer words have no vector.
        least_letters: shorter words, mostly function words, have no vector.

    Raises:
        UsageError: too few different words for the width.
    """
    documents = [split_words(text) for text in texts]
    counted = Counter(word for document in documents for word in document).most_common()
    words = [word for word, count in counted if count >= least_count and len(word) >= least_letters]
    if len(words) <= width:
        raise UsageError(f"the texts have {len(words)} frequent words, expected more than the {width} of the vectors")
    number = {word: index for index, word in enumerate(words)}
    pairs: list[np.ndarray] = []
    for document in documents:
        ids = np.array([number.get(word, -1) for word in document])
        for distance in range(1, WINDOW + 1):
            pair = np.stack([ids[:-distance], ids[distance:]])
            pairs.append(pair[:, (pair >= 0).all(axis=0)])
    rows, columns = np.concatenate(pairs, axis=1)
    counts = scipy.sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(words),) * 2).tocsr()
    counts = (counts + counts.T).tocoo()
    totals = counts.sum(axis=1)
    contexts = totals**CONTEXT_POWER / (totals**CONTEXT_POWER).sum()
    information = np.log(counts.data / (totals[counts.coords[0]] * contexts[counts.coords[1]]))
    positive = information > 0
    kept = (counts.coords[0][positive], counts.coords[1][positive])
    matrix = scipy.sparse.coo_array((information[positive], kept), shape=counts.shape).tocsr()
    vectors, values, _ = scipy.sparse.linalg.svds(matrix, k=width, random_state=0)  # type: ignore[call-arg]
    order = np.argsort(-values)
    return WordVectors(words, vectors[:, order] * values[order] ** VALUE_POWER)
