"""Trainings of the ablations differ in one setting and share arms."""

import pytest
from onepaper.claims import ClaimContext

from dct_transformer.experiments import trainings


def test_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def bits(context: ClaimContext, name: str, seed: int, **changes: object) -> float:
        seen.append(changes)
        return 6.0 if changes else 5.0

    monkeypatch.setattr(trainings, "_bits", bits)
    evidence = trainings.encoder_context(ClaimContext(seeds=(0, 1, 2)))
    assert evidence.measured[2].mean == 1.2
    assert {"encoder_input": False} in seen
