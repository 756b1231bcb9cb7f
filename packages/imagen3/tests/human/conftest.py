"""Votes drawn from known ratings."""

from collections.abc import Callable

import numpy as np
import pytest

from imagen3.human.votes import Comparisons, pair_indices

ELO = np.array([1120.0, 1050.0, 1010.0, 900.0, 920.0])


@pytest.fixture(scope="session")
def drawn() -> Callable[..., Comparisons]:
    """A board with so many votes of each pair, by raters and prompts of equal numbers of votes."""

    def draw(seed: int, votes: int = 400, raters: int = 80, tie_rate: float = 0.1) -> Comparisons:
        generator = np.random.default_rng(seed)
        first, second = pair_indices(len(ELO))
        pair = generator.permutation(np.repeat(np.arange(len(first)), votes))
        chance = 1 / (1 + 10 ** ((ELO[second] - ELO[first]) / 400))
        outcome = np.where(generator.random(len(pair)) < chance[pair], 0, 1)
        outcome = np.where(generator.random(len(pair)) < tie_rate, 2, outcome)
        rater, prompt = (generator.permutation(np.arange(len(pair)) % count) for count in (raters, 50))
        return Comparisons(tuple("abcde"), pair, outcome, rater, prompt)

    return draw
