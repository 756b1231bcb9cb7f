"""The recomputed boards: measurements that the rules read, and what moves them."""

from dataclasses import replace

import numpy as np
import pytest
from onepaper.claims import ClaimContext, Table

from imagen3.claims import CLAIMS
from imagen3.experiments import boards
from imagen3.human.published import published_boards

MEASURES = {claim.id: claim for claim in CLAIMS if "experiments.boards" in claim.measure}


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_evidence_is_complete(name: str) -> None:
    evidence, decision = MEASURES[name].run(ClaimContext(seeds=(0,)))
    assert decision.reason
    table = next(item for item in evidence.artifacts if isinstance(item, Table))
    figure = {"C1a": 2, "C2": 3, "C3": 4, "C4a": 5, "C18": 14}[name]
    assert len(table.rows) == sum(len(board.models) for board in boards.boards_of(figure))


def test_exchanged_pairs_and_space() -> None:
    board = published_boards()[0]
    exact = replace(board, elo=board.refit(0.1).elo)
    assert boards.exchanged_pairs(exact) == 0
    assert boards.exchanged_pairs(replace(exact, elo=exact.elo[::-1])) == 15
    ratings = board.refit(0.1)
    expected = ratings.elo[0] - ratings.elo[1] - ratings.half_width()[:2].sum()
    assert boards.space(ratings) == pytest.approx(expected)


def test_a_wrong_rating_is_seen() -> None:
    """A printed rating that is off by 60 points makes the measured difference large, whatever the tie rate."""
    board = published_boards()[0]
    wrong = replace(board, elo=board.elo + np.array([0, 0, 60, 0, 0, 0]))
    assert boards.recomputed([wrong]).measurement("largest difference, GenAI-Bench").values[0] > 20
