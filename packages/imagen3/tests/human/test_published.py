"""The boards of the report."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from imagen3.human.published import published_boards
from imagen3.human.votes import win_shares


def test_thirteen_boards() -> None:
    boards = published_boards()
    assert [board.figure for board in boards] == [2] * 3 + [3] * 3 + [4] * 3 + [5] + [14] * 3
    for board in boards:
        assert abs(board.elo.mean() - 1000) < 0.5, "the anchor: the printed ratings have the mean 1000"
        assert (np.diff(board.elo) <= 0).all()
        assert np.isfinite(board.shares).sum() == (15 if len(board.models) == 6 else 34)


def test_counts_give_the_printed_shares() -> None:
    board = published_boards()[0]
    for rate in (0.0, 0.1):
        shares = win_shares(6, board.counts(rate))
        np.testing.assert_allclose(shares[np.triu_indices(6, 1)], board.shares)
    assert board.counts(0.1)[:, 2].tolist() == pytest.approx([250] * 15)
    with pytest.raises(UsageError, match="tie_rate is 0.6"):
        board.counts(0.6)


def test_the_tie_rate_of_a_board_is_found() -> None:
    """Ratings printed from a known tie rate give that rate back."""
    from dataclasses import replace

    board = published_boards()[0]
    own = replace(board, elo=board.refit(0.123).elo)
    assert own.fit_tie_rate() == pytest.approx(0.123)
