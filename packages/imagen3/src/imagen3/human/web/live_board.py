"""Ratings while a study goes on."""

from collections.abc import Sequence
from typing import NamedTuple

from onepaper.errors import UsageError

from imagen3.human.elo import fit_ratings
from imagen3.human.votes import Vote, comparisons


class LiveBoard(NamedTuple):
    """Models of an aspect, best first, with the half-width of a 99% interval of independent votes."""

    aspect: str
    votes: int
    left_out: int
    """votes with flags"""
    rows: Sequence[tuple[str, float, float]]
    problem: str
    """why there are no ratings yet"""


def live_boards(votes: Sequence[Vote]) -> list[LiveBoard]:
    """A board for each aspect; votes with flags are left out."""
    boards = []
    for aspect in dict.fromkeys(vote.aspect for vote in votes):
        own = [vote for vote in votes if vote.aspect == aspect]
        kept = [vote for vote in own if not vote.flags]
        try:
            counted = comparisons(kept)
            ratings = fit_ratings(counted.models, counted.counts())
            ends = ratings.half_width()
            rows = [(ratings.models[index], float(ratings.elo[index]), float(ends[index])) for index in ratings.order()]
            boards.append(LiveBoard(aspect, len(own), len(own) - len(kept), rows, ""))
        except UsageError as error:
            boards.append(LiveBoard(aspect, len(own), len(own) - len(kept), [], str(error)))
    return boards
