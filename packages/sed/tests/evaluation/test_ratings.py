"""Preferences against the paper's table and a library."""

import numpy as np
import pytest
import scipy.stats
from onepaper.errors import UsageError

from sed.evaluation.ratings import make_pairs, page_id, preference


@pytest.mark.parametrize(
    ("share", "error", "n"), [(0.634, 4.3, 126), (0.51, 5.0, 100), (0.438, 4.4, 127), (0.377, 4.4, 121)]
)
def test_errors_of_the_paper_are_binomial(share: float, error: float, n: int) -> None:
    """Table 4 has sqrt(p (1 - p) / n) for about as many choices as 6 raters of 20 pairs make."""
    choices = np.arange(n)[None] < round(share * n)
    assert 100 * preference(choices).standard_error == pytest.approx(error, abs=0.06)


@pytest.mark.parametrize(("k", "n"), [(0, 7), (7, 7), (13, 40)])
def test_wilson_interval(k: int, n: int) -> None:
    expected = scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
    found = preference(np.arange(n)[None] < k)
    np.testing.assert_allclose((found.low, found.high), expected, atol=1e-6)
    assert np.isnan(found.agreement)


def test_agreement() -> None:
    """Of three raters, a pair has three pairs of raters."""
    choices = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 1, 0]], bool)
    assert preference(choices).agreement == pytest.approx((3 + 1 + 1 + 3) / 12)


def test_pairs() -> None:
    first, second = [f"a{n}" for n in range(200)], [f"b{n}" for n in range(200)]
    pairs = make_pairs(first, second, seed=1)
    for number, pair in enumerate(pairs):
        assert {pair.left, pair.right} == {f"a{number}", f"b{number}"}
        assert (pair.left == f"a{number}") == pair.first_is_left
    assert 70 < sum(pair.first_is_left for pair in pairs) < 130
    assert page_id(pairs) != page_id(make_pairs(first, second, seed=2))
    with pytest.raises(UsageError, match="2 and 1 samples"):
        make_pairs(["a", "b"], ["c"])
    with pytest.raises(UsageError, match="at least one"):
        preference(np.zeros((0, 3), bool))
