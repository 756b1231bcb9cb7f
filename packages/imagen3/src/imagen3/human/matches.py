"""Which pairs to compare when models are added to a board (paper, appendix D.1)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from onepaper.config import check_positive

REACH = 4


def missing_matches(
    ordered: Sequence[str], compared: Float[np.ndarray, "models models"], reach: int = REACH
) -> list[tuple[str, str]]:
    """Matches without a vote of each model with the `reach` models below it, so that all meet as many above and below.

    Args:
        ordered: models, best first.
        compared: number of votes between them, in that order.
        reach: models above and below.
    """
    check_positive("reach", reach)
    return [
        (first, second)
        for place, first in enumerate(ordered)
        for distance, second in enumerate(ordered[place + 1 : place + 1 + reach], 1)
        if not compared[place, place + distance]
    ]
