"""Claim X1: the scorer is checked on scenes with known contents."""

import pytest
from onepaper.claims import ClaimContext

from imagen3.experiments import counting


def test_scorer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "SCENES", 28)
    found = counting.scorer_accuracy(ClaimContext(seeds=(0, 1, 2)))
    assert found.measurement("right answers").mean > 0.95
    assert sum(int(cell) for row in found.artifacts[0].rows for cell in row[1:]) == 3 * 28  # pyright: ignore
