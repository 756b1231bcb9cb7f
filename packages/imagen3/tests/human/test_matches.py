"""Pairs for models that are added."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from imagen3.human.matches import missing_matches
from imagen3.human.published import published_boards
from imagen3.human.votes import pair_indices


def test_the_paper_compared_just_these_pairs() -> None:
    """Figure 14 of the paper has shares for each model with the four after it, and for no other pair."""
    for board in published_boards()[-3:]:
        models = board.models
        printed = {
            (models[i], models[j])
            for i, j, share in zip(*pair_indices(len(models)), board.shares, strict=True)
            if np.isfinite(share)
        }
        assert printed == set(missing_matches(models, np.zeros((len(models), len(models)))))


def test_missing() -> None:
    compared = np.array([[0, 2, 0], [2, 0, 0], [0, 0, 0]])
    assert missing_matches("abc", compared, reach=1) == [("b", "c")]
    assert missing_matches("abc", compared) == [("a", "c"), ("b", "c")]
    with pytest.raises(UsageError, match="reach is 0"):
        missing_matches("abc", compared, reach=0)
