"""Which pairs to compare when models are added to a board (paper, appendix D.1)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from onepaper.config import check_positive

REACH = 4


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
