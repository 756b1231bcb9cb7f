"""Wilson's interval by its formula."""

import math

import pytest

from imagen3.responsibility.rates import rate


@pytest.mark.parametrize(("count", "of"), [(0, 10), (3, 10), (10, 10), (155, 1000)])
def test_wilson(count: int, of: int) -> None:
    z, share = 1.959963984540054, count / of
    middle = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z * math.sqrt(share * (1 - share) / of + z**2 / (4 * of**2)) / (1 + z**2 / of)
    found = rate(count, of)
    assert found[:3] == (count, of, share)
    assert found.low == pytest.approx(middle - half, abs=1e-12)
    assert found.high == pytest.approx(middle + half, abs=1e-12)


def test_none() -> None:
    assert math.isnan(rate(0, 0).share)
    assert str(rate(0, 0)) == "none"
    assert str(rate(1, 4)).startswith("25.00% [")
