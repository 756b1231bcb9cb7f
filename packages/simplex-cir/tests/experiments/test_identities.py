"""The measuring functions of claims beyond the paper, on small sizes."""

import numpy as np
from onepaper.claims import ClaimContext
from onepaper.claims.rules import Verdict

from simplex_cir.claims import CLAIMS
from simplex_cir.diffusion.rank_law import RankLaw
from simplex_cir.experiments.identities import (
    CLOCK,
    PAIR,
    _counted_ranks,
    _rank_test,
    _stop_at_clock,
    spectral_form_of_the_density,
)


def test_counted_ranks_reject_a_wrong_distribution() -> None:
    generator = np.random.default_rng(0)
    ranks = np.concatenate([_counted_ranks(generator, 40, 0.5, 4.0) for _ in range(8)])
    assert 1 <= ranks.min() <= ranks.max() <= 40
    assert _rank_test(ranks, RankLaw(40, 4.0, 0.5)) > 1e-3
    assert _rank_test(ranks, RankLaw(40, 3.0, 0.5)) < 1e-6


def test_mean_at_the_random_time_is_that_of_the_wright_fisher_diffusion() -> None:
    """E[X] decays as exp(-A tau) on the clock."""
    at_clock, at_time, unfinished = _stop_at_clock(0, 0.9, 300)
    assert unfinished == 0
    level, total = PAIR[0] / sum(PAIR), sum(PAIR)
    expected = level + np.exp(-total * CLOCK) * (0.9 - level)
    assert abs(at_clock.mean() - expected) < 5 * at_clock.std() / 300**0.5
    assert at_time.shape == (300,)


def test_measurements_have_the_names_in_the_rules() -> None:
    evidence = spectral_form_of_the_density(ClaimContext(seeds=(100, 101, 102)))
    (claim,) = (claim for claim in CLAIMS if claim.measure.endswith(":spectral_form_of_the_density"))
    assert claim.rule.decide(evidence).verdict == Verdict.REPRODUCED
