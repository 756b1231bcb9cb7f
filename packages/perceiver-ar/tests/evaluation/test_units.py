import math

import pytest
from onepaper.errors import UsageError

from perceiver_ar.evaluation.units import bits_per_byte, bits_per_dim, per_unit, word_perplexity


def test_units() -> None:
    assert math.isclose(bits_per_byte(8 * math.log(2) * 10, 10), 8)
    assert math.isclose(bits_per_dim(math.log(256) * 12, 2, 2), 8)
    # Two words in five pieces of probability 1/4 each: the perplexity of a word is 4 to the power of 2.5.
    assert math.isclose(word_perplexity(5 * math.log(4), 2), 32)
    with pytest.raises(UsageError, match="number of words is 0"):
        word_perplexity(1.0, 0)


def test_a_perplexity_beyond_double_precision_is_left_out() -> None:
    assert set(per_unit(700.0, {"bytes": 2.0, "words": 1.0})) == {"bits_per_byte", "word_perplexity"}
    assert set(per_unit(710.0, {"bytes": 2.0, "words": 1.0})) == {"bits_per_byte"}
    assert per_unit(1.0, {"words": 0.0, "seconds": 0.0}) == {}
