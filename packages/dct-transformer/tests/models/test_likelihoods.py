"""Sums and means of bits."""

import numpy as np
import pytest
from networks import TINY

from dct_transformer.models.likelihoods import Likelihood


def test_summary_by_hand() -> None:
    found = Likelihood(*(np.array(row, float) for row in ([2, 4], [1, 1], [3, 5], [2, 6])))
    assert found.bits.tolist() == [6, 10]
    assert found.bits_per_triple == 2
    summary = found.summary(TINY)
    assert summary["bits_per_image"] == 8
    assert summary["bits_per_dimension"] == pytest.approx(8 / 768)
    assert summary["channel_bits"] == 6 / 8
