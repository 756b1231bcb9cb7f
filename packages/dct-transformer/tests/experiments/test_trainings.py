"""Trainings of the ablations differ in one setting and share arms."""

from dataclasses import replace

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from dct_transformer.config import ExperimentConfig
from dct_transformer.experiments import trainings
from dct_transformer.presets import PRESETS


def test_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def bits(context: ClaimContext, name: str, seed: int, **changes: object) -> float:
        seen.append(changes)
        return 6.0 if changes else 5.0

    monkeypatch.setattr(trainings, "_bits", bits)
    evidence = trainings.encoder_context(ClaimContext(seeds=(0, 1, 2)))
    assert evidence.measured[2].mean == 1.2
    assert {"encoder_input": False} in seen


def test_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks differ in their condition only; counts are of the triples that the network lists."""
    seen = []

    def bits(config: ExperimentConfig, seed: int) -> dict[str, float]:
        seen.append(config)
        return {"bits": {"none": 5.0, "luma": 4.0, "low-resolution": 3.0}[config.model.condition] + 0.1 * seed}

    monkeypatch.setattr(trainings, "bits_of_training", bits)
    monkeypatch.setattr(trainings, "count_bits", lambda config: {1: 10.0, 2: 8.0})
    found = trainings.colors_of_luma(ClaimContext(seeds=(0, 1, 2)))
    assert found.measured[0].mean == pytest.approx(4.1 / 8)
    found = trainings.low_resolution_helps(ClaimContext(seeds=(0, 1, 2)))
    assert [measured.mean for measured in found.measured] == pytest.approx([5.1, 3.1])
    assert replace(seen[-1].model, condition="none") == seen[3].model


def test_count_bits() -> None:
    """Chroma alone has fewer triples, all of channels from 16 on; the bigram of colours is below the uniform limit."""
    found = trainings.count_bits(PRESETS["laptop-16-colorize"].config)
    assert set(found) == {1, 2}
    assert all(0 < bits < np.log2(33 * 16 * 200) for bits in found.values())
