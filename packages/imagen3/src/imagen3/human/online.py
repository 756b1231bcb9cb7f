"""Elo ratings that change with each vote. They depend on the order of votes, and are no part of a board's result."""

import numpy as np
from jaxtyping import Float
from onepaper.config import check_positive

from imagen3.human.elo import MEAN
from imagen3.human.votes import Comparisons, pair_indices


def online_elo(votes: Comparisons, k: float = 32.0) -> Float[np.ndarray, " models"]:
    r"""Ratings after all votes in their order: $R_i \leftarrow R_i + K (s - E)$ and $R_j \leftarrow R_j - K (s - E)$.

    $s$ is 1 for a win, 1/2 for a tie and 0 for a loss of i, and $E = 1 / (1 + 10^{(R_j - R_i)/400})$ (Elo, 1978).
    """
    check_positive("k", k)
    first, second = (own.tolist() for own in pair_indices(len(votes.models)))
    ratings = [MEAN] * len(votes.models)
    for pair, outcome in zip(votes.pair.tolist(), votes.outcome.tolist(), strict=True):
        i, j = first[pair], second[pair]
        change = k * ((1.0, 0.0, 0.5)[outcome] - 1 / (1 + 10 ** ((ratings[j] - ratings[i]) / 400)))
        ratings[i] += change
        ratings[j] -= change
    return np.array(ratings)
