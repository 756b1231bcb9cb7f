"""Statistics of small lists by hand."""

import numpy as np
import pytest

from dct_transformer.config import ChunkConfig
from dct_transformer.evaluation.list_statistics import list_statistics
from dct_transformer.representation.triples import Triples


def test_small_lists() -> None:
    """Blocks of 2 x 2: channels 0 to 3 are luma, 4 to 7 Cb, 8 to 11 Cr; index 0 is one band, 1 to 3 the next."""
    first = Triples(np.array([0, 0, 4, 9]), np.array([0, 1, 0, 0]), np.array([5, -1, 1, -2]))
    second = Triples(np.array([0, 0, 4, 9]), np.array([0, 1, 0, 1]), np.array([5, -1, 1, -2]))
    found = list_statistics([first, second, first[:0]], 2, ChunkConfig(4, 0))
    np.testing.assert_allclose(found.shares, [[0.5, 0.25, 0], [0, 0, 0.25]])
    assert found.lengths.tolist() == [4, 4, 0]
    assert found.chunks.tolist() == [2, 2, 1]
    assert (found.largest, found.ones) == (5, 0.5)
    assert found.channel_bits == pytest.approx(1.5)
    assert found.value_bits == pytest.approx(0.5)  # one bit for the half of the triples in channel 0
    assert found.packed_bytes == pytest.approx(16)
    assert found.quantiles()["100%"] == 4
