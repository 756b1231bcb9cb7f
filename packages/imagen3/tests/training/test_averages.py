"""Averages by a power function: their profile, snapshots, and other widths afterwards."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError
from onepaper.runs import Run
from scipy.integrate import quad
from scipy.optimize import brentq
from torch import nn

from imagen3.config import SystemConfig
from imagen3.data.pictures import Pictures
from imagen3.pretrained.systems import System
from imagen3.training.averages import average_decay, combination, combined_weights, exponent, profile_products
from imagen3.training.cache import build_cache
from imagen3.training.denoiser import train_denoiser


def weights_of_steps(steps: int, gamma: float) -> np.ndarray:
    """How much the weights of each step count in the average after `steps` updates."""
    counted = np.zeros(steps)
    for step in range(steps):
        decay = average_decay(step, gamma)
        counted *= decay
        counted[step] += 1 - decay
    return counted


@pytest.mark.parametrize("width", [0.05, 0.1, 0.2])
def test_profile(width: float) -> None:
    """The exponent by another solver, and a profile of sum 1 with the deviation of its width."""
    gamma = exponent(width)
    found = brentq(lambda g: (g + 1) / ((g + 2) ** 2 * (g + 3)) - width**2, 0, 1000)
    assert gamma == pytest.approx(found, rel=1e-6)
    counted = weights_of_steps(4000, gamma)
    assert counted.sum() == pytest.approx(1.0)
    steps = (np.arange(4000) + 0.5) / 4000
    mean = (counted * steps).sum()
    assert np.sqrt((counted * (steps - mean) ** 2).sum()) == pytest.approx(width, rel=2e-3)


def test_products_of_profiles() -> None:
    for t, g, u, h in ((3.0, 5.0, 7.0, 2.0), (7.0, 1.0, 3.0, 9.0), (4.0, 3.0, 4.0, 3.0)):
        expected, _ = quad(
            lambda x, t=t, g=g, u=u, h=h: (g + 1) * x**g / t ** (g + 1) * (h + 1) * x**h / u ** (h + 1), 0, min(t, u)
        )
        found = profile_products(np.array([t]), np.array([g]), np.array([u]), np.array([h]))
        assert found.item() == pytest.approx(expected, rel=1e-9)


def test_other_widths_afterwards() -> None:
    """Snapshots of widths 0.05 and 0.1 at every 1/16 of a training give the average of width 0.08 to 0.1 %."""
    total, every = 3200, 200
    generator = np.random.default_rng(0)
    path = np.cumsum(generator.normal(size=(total, 3)), axis=0) + np.linspace(0, 100, total)[:, None]
    kept = [(step, exponent(width)) for step in range(every, total + 1, every) for width in (0.05, 0.1)]
    snapshots = np.stack([weights_of_steps(step, gamma) @ path[:step] for step, gamma in kept])
    steps, gammas = (np.array(part, np.float64) for part in zip(*kept, strict=True))
    factors = combination(steps, gammas, total, exponent(0.08))
    wanted = weights_of_steps(total, exponent(0.08)) @ path
    assert np.abs(factors @ snapshots / wanted - 1).max() < 1e-3
    assert factors.sum() == pytest.approx(1.0, abs=1e-3)


def test_training_keeps_snapshots(config: SystemConfig, system: System, pictures: Pictures, tmp_path: Path) -> None:
    training = replace(config.denoiser_training, averages=(0.1, 0.2))
    config = replace(config, denoiser_training=training)
    cache = build_cache(system.autoencoder, system.encoder, pictures)

    def train(folder: str, steps: int) -> nn.Module:
        loop = replace(training.loop, steps=steps)
        return train_denoiser(
            config, system.autoencoder, cache, pictures, Run(tmp_path / folder, {"config": {}}), loop=loop
        )[0]

    model = train("whole", 6)
    train("parts", 3)
    resumed = train("parts", 6)
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in model.state_dict().items())
    files = sorted(file.name for file in (tmp_path / "whole" / "averages").iterdir())
    assert files == ["step_00000003.safetensors", "step_00000006.safetensors"]
    for name in files:
        assert (tmp_path / "parts" / "averages" / name).read_bytes() == (
            tmp_path / "whole" / "averages" / name
        ).read_bytes()
    found = combined_weights(tmp_path / "whole", 0.15)
    assert found.keys() == dict(model.named_parameters()).keys()
    for width, expected in ((0.005, "expected a number from 0.01 to 0.28"), (0.1, "has no snapshots")):
        with pytest.raises(UsageError, match=expected):
            combined_weights(tmp_path, width)
