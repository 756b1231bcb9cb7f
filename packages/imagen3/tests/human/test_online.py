"""Ratings that change with each vote."""

import numpy as np

from imagen3.human.online import online_elo
from imagen3.human.votes import Comparisons


def test_by_hand() -> None:
    votes = Comparisons(("a", "b"), np.zeros(2, int), np.array([0, 2]), np.zeros(2, int), np.zeros(2, int))
    chance = 1 / (1 + 10 ** (-32 / 400))  # after the first win the ratings are 1016 and 984
    change = 32 * (0.5 - chance)
    np.testing.assert_allclose(online_elo(votes), [1016 + change, 984 - change])
