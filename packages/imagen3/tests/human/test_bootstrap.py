"""Intervals by resampling."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from onepaper.errors import UsageError

from imagen3.human.bootstrap import bootstrap_intervals, resampled_counts
from imagen3.human.elo import fit_ratings
from imagen3.human.votes import Comparisons

Draw = Callable[..., Comparisons]


@pytest.mark.parametrize("unit", ["rater", "prompt"])
def test_counts_of_a_resample(unit: str, drawn: Draw) -> None:
    """The same as repeating the votes of each rater as often as it is drawn."""
    votes = drawn(0, votes=20)
    found = resampled_counts(votes, np.random.default_rng(5), 3, unit)  # pyright: ignore[reportArgumentType]
    cluster = votes.rater if unit == "rater" else votes.prompt
    clusters = cluster.max() + 1
    times = np.random.default_rng(5).multinomial(clusters, np.full(clusters, 1 / clusters), 3)
    for resample, own in enumerate(times):
        chosen = np.repeat(np.arange(len(cluster)), own[cluster])
        repeated = replace(votes, pair=votes.pair[chosen], outcome=votes.outcome[chosen])
        np.testing.assert_array_equal(found[resample], repeated.counts())


def test_closed_form_for_independent_votes(drawn: Draw) -> None:
    votes = drawn(1, votes=500, raters=1000)
    intervals = bootstrap_intervals(votes, np.random.default_rng(0), confidence=0.95)
    expected = fit_ratings(votes.models, votes.counts()).half_width(0.95)
    assert intervals.without_ratings == 0
    assert np.abs((intervals.high - intervals.low) / 2 / expected - 1).mean() < 0.1


def test_raters_of_one_mind_widen_the_intervals(drawn: Draw) -> None:
    """Each vote ten times by the same rater: the information of a tenth of the votes."""
    votes = drawn(2, votes=40, raters=400)
    tenfold = replace(
        votes, **{name: np.repeat(getattr(votes, name), 10) for name in ("pair", "outcome", "rater", "prompt")}
    )
    width = [np.subtract(*bootstrap_intervals(own, np.random.default_rng(0))[1::-1]) for own in (votes, tenfold)]
    np.testing.assert_allclose(width[0], width[1])
    independent = fit_ratings(tenfold.models, tenfold.counts()).half_width()
    assert (width[1] / 2 > 2.5 * independent).all()


def test_refused(drawn: Draw) -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(UsageError, match="there is one rater"):
        bootstrap_intervals(drawn(0, raters=1), generator)
    with pytest.raises(UsageError, match="confidence is 99"):
        bootstrap_intervals(drawn(0), generator, confidence=99)
    with pytest.raises(UsageError, match="resamples is 0"):
        bootstrap_intervals(drawn(0), generator, resamples=0)
    with pytest.raises(UsageError, match="resamples have no ratings"):
        bootstrap_intervals(drawn(3, votes=2, raters=4, tie_rate=0), generator, prior_sd=None)


def test_speed(drawn: Draw) -> None:
    """1,000 resamples of 375,000 votes."""
    votes = drawn(0, votes=37_500, raters=3225)
    began = time.process_time()
    bootstrap_intervals(votes, np.random.default_rng(0))
    assert time.process_time() - began < 5
