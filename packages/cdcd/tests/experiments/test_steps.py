"""Claims on training steps run with a tiny network."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from cdcd.experiments import shipped, steps


def test_cost_of_self_conditioning(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PRESET": "smoke", "ROUNDS": 1, "TIMED_STEPS": 1}.items():
        monkeypatch.setattr(steps, name, value)
    evidence = steps.cost_of_self_conditioning(ClaimContext(seeds=(0,)))
    assert 0 < evidence.measured[0].mean < 100


def test_gradient_noise(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of a fourth of the sequences have about four times the variance."""
    shipped.setting.cache_clear()
    monkeypatch.setattr(shipped, "WEIGHTS", str(weights / "speeches"))
    monkeypatch.setattr(shipped, "EVALUATOR", str(weights / "speeches-evaluator"))
    for name, value in {"PRESET": "smoke", "SHAPES": ((64, 8), (16, 8)), "GRADIENTS": 12}.items():
        monkeypatch.setattr(steps, name, value)
    found = [m.mean for m in steps.gradient_noise(ClaimContext(seeds=(0, 1))).measured]
    assert found[1] / found[0] == pytest.approx(4, rel=0.5)
    assert np.isfinite(found).all()
    shipped.setting.cache_clear()
