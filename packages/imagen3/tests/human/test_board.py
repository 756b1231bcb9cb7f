"""Boards from votes."""

import numpy as np
import pytest

from imagen3.human.board import board_of
from imagen3.human.elo import fit_ratings
from imagen3.human.votes import Vote


def votes_of(counts: dict[tuple[str, str], tuple[int, int, int]]) -> list[Vote]:
    """Votes by pair, as (left, right, tie), of ten raters."""
    return [
        Vote(f"{pair}{choice}{index}", "s", "overall", "mine", f"p{index % 7}", *pair, choice, f"r{index % 10}")
        for pair, numbers in counts.items()
        for choice, number in zip(("left", "right", "tie"), numbers, strict=True)
        for index in range(number)
    ]


def test_rows_shares_and_missing_pairs() -> None:
    board = board_of(votes_of({("b", "a"): (40, 20, 20), ("c", "a"): (10, 30, 0)}))
    assert [row[0] for row in board.rows()] == ["b", "a", "c"]
    ratings = fit_ratings(("a", "b", "c"), np.array([[20.0, 40, 20], [30, 10, 0], [0, 0, 0]]))
    for name, elo, low, high in board.rows():
        index = ratings.models.index(name)
        np.testing.assert_allclose((elo, (low + high) / 2), ratings.elo[index])
        np.testing.assert_allclose(high - low, 2 * ratings.half_width(0.99)[index])
    np.testing.assert_allclose(board.win_shares[0, 1], 50 / 80)
    assert np.isnan(board.win_shares[0, 2])
    assert board.missing == [("b", "c")]
    assert board.tie_rate == pytest.approx(20 / 120)


def test_resampled_intervals_are_those_of_the_seed() -> None:
    votes = votes_of({("b", "a"): (67, 38, 24)})
    first, same, other = (board_of(votes, unit="rater", seed=seed).rows() for seed in (0, 0, 1))
    assert first == same != other
    assert first[0][2] < first[0][1] < first[0][3]
