"""The board that votes give: ratings with intervals, win shares, and pairs without votes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from imagen3.human.bootstrap import RESAMPLES, Unit, bootstrap_intervals
from imagen3.human.elo import CONFIDENCE, Ends, Ratings, Ties, fit_ratings
from imagen3.human.matches import REACH, missing_matches
from imagen3.human.votes import Comparisons, Vote, comparisons, pair_indices, win_shares


class Board(NamedTuple):
    """Ratings of the models of a board, and what they are made from."""

    votes: Comparisons
    ratings: Ratings
    ends: Ends
    tie_rate: float
    win_shares: Float[np.ndarray, "models models"]
    """of the model of the row against that of the column, both best first; ties as half"""
    missing: list[tuple[str, str]]
    """pairs without votes, of each model with those just above and below it"""

    def rows(self) -> list[tuple[str, float, float, float]]:
        """Model, rating and both ends of its interval, best first."""
        elo, low, high = (own.tolist() for own in (self.ratings.elo, *self.ends))
        return [(self.ratings.models[index], elo[index], low[index], high[index]) for index in self.ratings.order()]


def board_of(
    votes: Sequence[Vote],
    *,
    ties: Ties = "drop",
    unit: Unit | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    prior_sd: float | None = None,
    reach: int = REACH,
    seed: int = 0,
) -> Board:
    """The board of votes on one question and set of prompts.

    Args:
        votes: all of them count, whatever their flags.
        ties: as in `imagen3.human.elo.fit_ratings`.
        unit: what is resampled for the intervals; None for the closed form for independent votes.
        confidence: of the intervals.
        resamples: of the bootstrap.
        prior_sd: as in `imagen3.human.elo.fit_ratings`.
        reach: as in `imagen3.human.matches.missing_matches`.
        seed: of the bootstrap.

    Raises:
        UsageError: the votes give no ratings, or no intervals.
    """
    found = comparisons(votes)
    counts = found.counts()
    ratings = fit_ratings(found.models, counts, ties, prior_sd)
    ends = ratings.interval(confidence)
    if unit is not None:
        ends = bootstrap_intervals(
            found,
            np.random.default_rng(seed),
            ties=ties,
            unit=unit,
            resamples=resamples,
            confidence=confidence,
            prior_sd=prior_sd,
        )[:2]
    order = ratings.order()
    compared = np.zeros((len(order), len(order)))
    compared[pair_indices(len(order))] = counts.sum(1)
    compared = (compared + compared.T)[np.ix_(order, order)]
    missing = missing_matches([found.models[index] for index in order], compared, reach)
    shares = win_shares(len(order), counts)[np.ix_(order, order)]
    return Board(found, ratings, ends, float(counts[:, 2].sum() / counts.sum()), shares, missing)
