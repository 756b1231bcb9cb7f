"""Noise levels: densities against their closed forms, the shift against its properties."""

import math

import pytest
import torch
from hypothesis import given, strategies
from scipy import stats

from imagen3.config import ObjectiveConfig
from imagen3.diffusion.times import noise_levels, shift_levels, step_levels

UNIFORM = torch.linspace(0.0005, 0.9995, 1000, dtype=torch.float64)


def test_logit_normal() -> None:
    config = ObjectiveConfig(location=0.3, scale=0.7)
    t = noise_levels(UNIFORM, config)
    logits = torch.log(t / (1 - t)).numpy()
    assert stats.kstest(logits, "norm", args=(0.3, 0.7)).statistic < 2e-3


def test_mode_and_cosmap() -> None:
    """Ends, the middle, and that cosmap is the level whose angle in signal and noise is uniform."""
    for density in ("mode", "cosmap"):
        t = noise_levels(UNIFORM, ObjectiveConfig(density=density, scale=1.29 if density == "mode" else 1.0))
        order = t.diff()
        assert (order > 0).all() or (order < 0).all()
        assert t.median() == pytest.approx(0.5, abs=1e-3)
    t = noise_levels(UNIFORM, ObjectiveConfig(density="cosmap"))
    torch.testing.assert_close(torch.atan2(t, 1 - t) / (math.pi / 2), UNIFORM, rtol=1e-6, atol=1e-6)


@given(strategies.floats(0.1, 10), strategies.floats(0.1, 10))
def test_shifts_compose(first: float, second: float) -> None:
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    torch.testing.assert_close(shift_levels(shift_levels(t, first), second), shift_levels(t, first * second))
    assert torch.equal(shift_levels(t, first)[[0, -1]], t[[0, -1]])


def test_shift_keeps_the_uncertainty() -> None:
    """Signal over noise falls by alpha, as the mean of alpha^2 pixels has alpha times less noise."""
    t, alpha = torch.tensor(0.3, dtype=torch.float64), 2.0
    moved = shift_levels(t, alpha)
    assert float((1 - t) / t / ((1 - moved) / moved)) == pytest.approx(alpha)


def test_steps() -> None:
    assert step_levels(4).tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]
