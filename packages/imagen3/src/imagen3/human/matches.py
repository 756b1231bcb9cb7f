"""Which pairs to compare when models are added to a board (paper, appendix D.1)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from onepaper.config import check_positive
from onepaper.errors import UsageError

REACH = 4


def first_matches(board: Sequence[str], newcomers: Sequence[str]) -> list[tuple[str, str]]:
    """Each newcomer against the best model of a board (best first), for a provisional rating."""
    if not board:
        raise UsageError("the board has no models, expected at least one to compare newcomers with")
    return [(board[0], newcomer) for newcomer in newcomers if newcomer not in board]


def provisional_rating(best: float, share: float) -> float:
    r"""The rating of a model that wins a share p against one with rating `best`: $R + 400 \log_{10}(p / (1 - p))$.

    Raises:
        UsageError: a share that is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise UsageError(f"share is {share}, expected a number between 0 and 1; collect more votes")
    return best + 400 * float(np.log10(share / (1 - share)))


def neighbour_matches(ordered: Sequence[str], reach: int = REACH) -> list[tuple[str, str]]:
    """Each model against the `reach` models below it, so that all meet as many above and below; best first."""
    check_positive("reach", reach)
    return [(first, second) for place, first in enumerate(ordered) for second in ordered[place + 1 : place + 1 + reach]]


def missing_matches(
    ordered: Sequence[str], compared: Float[np.ndarray, "models models"], reach: int = REACH
) -> list[tuple[str, str]]:
    """The neighbour matches without a vote.

    Args:
        ordered: models, best first.
        compared: number of votes between them, in that order.
        reach: models above and below.
    """
    place = {model: index for index, model in enumerate(ordered)}
    return [
        (first, second)
        for first, second in neighbour_matches(ordered, reach)
        if not compared[place[first], place[second]]
    ]
