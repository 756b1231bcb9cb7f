from dataclasses import replace

import numpy as np
import pytest
from onepaper.claims import ClaimContext, ImageGrid, Table
from onepaper.claims.evidence import Plot

from compose_diffusion.config.positions import ARMS, PositionsComparison, TapestryComparison, WhatWhereComparison
from compose_diffusion.experiments import positions as experiments


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The same experiments with few images and levels."""
    few = {"num_images": 2, "num_levels": 4}
    less = {**few, "lowest_level": 1, "langevin_moves": 1, "hamiltonian_moves": 1}
    monkeypatch.setattr(experiments, "QUICK", replace(experiments.QUICK, **less))
    monkeypatch.setattr(experiments, "FULL", PositionsComparison(counts=(1, 2), **less))
    monkeypatch.setattr(experiments, "TapestryComparison", lambda: TapestryComparison(columns=2, **few))
    monkeypatch.setattr(experiments, "WhatWhereComparison", lambda: WhatWhereComparison(num_digits=2, **few))


def names(evidence):
    return {measurement.name for measurement in evidence.measured}


def test_composed_positions():
    evidence = experiments.composed_positions(ClaimContext(seeds=(100, 101)))
    expected = {f"{arm}, {count}" for arm in ("reverse", "reverse + ULA") for count in ("1 position", "5 positions")}
    assert expected | {"gain by ULA, 1 position", "gain by ULA, 5 positions"} <= names(evidence)
    ula, reverse, gain = (
        evidence.measurement(f"{name}, 5 positions").values for name in ("reverse + ULA", "reverse", "gain by ULA")
    )
    np.testing.assert_allclose(np.subtract(ula, reverse), gain)
    assert any(isinstance(artifact, Plot) for artifact in evidence.artifacts)


def test_composed_positions_by_energy():
    evidence = experiments.composed_positions_by_energy(ClaimContext(seeds=(100,)))
    assert {experiments.accuracy_name(arm, 2) for arm in ARMS} <= names(evidence)
    (table,) = (artifact for artifact in evidence.artifacts if isinstance(artifact, Table))
    assert [row[0] for row in table.rows] == list(experiments.LABELS.values())
    grid = next(artifact for artifact in evidence.artifacts if isinstance(artifact, ImageGrid))
    assert grid.images.shape == (2, 64, 64, 3)


def test_digit_tapestries():
    evidence = experiments.digit_tapestries(ClaimContext(seeds=(100,)))
    assert {"regional accuracy, reverse", "regional accuracy, reverse + ULA"} <= names(evidence)
    grid = next(artifact for artifact in evidence.artifacts if isinstance(artifact, ImageGrid))
    assert all(len(label) == 5 and label[2] == "/" for label in grid.labels)


def test_what_and_where():
    evidence = experiments.what_and_where(ClaimContext(seeds=(100,)))
    assert {"right digits, both, reverse + ULA", "all right, places alone, reverse + ULA"} <= names(evidence)
    assert "of the requested digits are right" in evidence.headline
