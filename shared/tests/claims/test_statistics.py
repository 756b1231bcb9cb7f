import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from onepaper.claims import Measurement
from onepaper.claims.statistics import bootstrap_interval, holm, student_t_interval
from onepaper.errors import UsageError


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_student_t_matches_scipy(confidence):
    values = [4.2, 3.9, 4.6, 4.1, 4.4]
    expected = stats.t.interval(confidence, df=4, loc=np.mean(values), scale=stats.sem(values))
    assert student_t_interval(values, confidence) == pytest.approx((np.mean(values), *expected))


def test_student_t_by_hand():
    # Mean 2, standard deviation 1, t(2, 0.975) = 4.302653.
    assert student_t_interval([1, 2, 3]) == pytest.approx((2, 2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3)))


def test_one_value_has_no_interval():
    estimate, low, high = student_t_interval([1.5])
    assert estimate == 1.5
    assert math.isnan(low)
    assert math.isnan(high)


def test_pairs_remove_what_seeds_share():
    """A difference of measurements is the paired t-test."""
    a, b = (
        Measurement.over_seeds(name, dict(enumerate(values)))
        for name, values in (("a", [10.1, 20.2, 30.15]), ("b", [10.0, 20.0, 30.0]))
    )
    difference = a.minus(b)
    expected = stats.ttest_rel(a.values, b.values).confidence_interval(0.95)
    assert (difference.low, difference.high) == pytest.approx(tuple(expected))
    with pytest.raises(UsageError, match="pairs need the same"):
        a.minus(Measurement.over_seeds("b", {0: 10.0, 1: 20.0}))


def test_bootstrap_agrees_with_scipy_and_the_seed_decides():
    values = np.random.default_rng(3).exponential(size=400)
    ours = bootstrap_interval(values, seed=1)
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=2000, random_state=2
    ).confidence_interval
    assert ours.estimate == pytest.approx(values.mean())
    assert ours[1:] == pytest.approx(tuple(theirs), abs=0.02)
    assert ours == bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)


def test_bootstrap_of_a_statistic_of_rows():
    generator = np.random.default_rng(0)
    x = generator.normal(size=300)
    rows = np.stack([x, x + 0.5 * generator.normal(size=300)], axis=1)
    estimate, low, high = bootstrap_interval(rows, lambda sample: np.corrcoef(sample.T)[0, 1], resamples=300)
    assert low < estimate < high < 1
    assert high - low < 0.15


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.5, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()
    with pytest.raises(UsageError, match=r"p-value is 1\.5"):
        holm([1.5])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_raw_and_bonferroni(p_values):
    for raw, adjusted in zip(p_values, holm(p_values), strict=True):
        assert raw <= adjusted <= min(1, len(p_values) * raw) + 1e-12


@pytest.mark.parametrize("function", [student_t_interval, bootstrap_interval])
def test_bad_input_is_reported(function):
    with pytest.raises(UsageError, match="at least one value"):
        function([])
    with pytest.raises(UsageError, match="confidence is 95"):
        function([1.0, 2.0], confidence=95)
