import itertools

import numpy as np
import pytest
from onepaper.errors import UsageError

from simplex_cir.data.dataset import decode, encode, entropy


def test_entropy_is_that_of_shares() -> None:
    tokens = np.array([[0, 1]] * 3 + [[1, 1]])
    assert entropy(tokens) == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))


def test_codes() -> None:
    texts = ["".join(letters) for letters in itertools.product("AB", repeat=3)]
    assert decode(encode(texts, "AB"), "AB") == texts
    with pytest.raises(UsageError, match="symbols 'X'"):
        encode(["AX"], "AB")
    with pytest.raises(UsageError, match="lengths"):
        encode(["A", "AB"], "AB")
