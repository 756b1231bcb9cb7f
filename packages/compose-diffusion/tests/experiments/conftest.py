from dataclasses import replace

import pytest

from compose_diffusion.config.networks import FitConfig, ScheduleConfig
from compose_diffusion.config.toy import ToyNetworkConfig
from compose_diffusion.experiments import learned_arms, learned_toy
from compose_diffusion.presets import LAPTOP_OPTIMIZER
from compose_diffusion.training import toy as training


@pytest.fixture
def small_learned_toy(monkeypatch):
    """The learned toy's experiments with few steps, samples, levels and moves."""
    tiny = replace(
        learned_arms.LAPTOP,
        network=ToyNetworkConfig(width=8, num_blocks=1, time_dim=4, schedule=ScheduleConfig(num_levels=8)),
        fit=FitConfig(steps=4, batch_size=16, optimizer=replace(LAPTOP_OPTIMIZER, warmup_steps=2)),
    )
    paper = replace(
        learned_arms.PAPER_TOY,
        num_levels=8,
        langevin=replace(learned_arms.PAPER_TOY.langevin, steps_per_level=1),
        hamiltonian=replace(learned_arms.PAPER_TOY.hamiltonian, steps_per_level=1),
    )
    monkeypatch.setattr(learned_arms, "LAPTOP", tiny)
    monkeypatch.setattr(learned_toy, "LAPTOP", tiny)
    monkeypatch.setattr(learned_toy, "LAPTOP_SUITE", replace(tiny, fit=replace(tiny.fit, steps=3)))
    monkeypatch.setattr(learned_arms, "PAPER_TOY", paper)
    for name, value in (("NUM_SAMPLES", 40), ("SUITE_SAMPLES", 20), ("POINTS_PER_LEVEL", 20)):
        monkeypatch.setattr(learned_arms, name, value)
    monkeypatch.setattr(training, "HELD_OUT_POINTS", 32)
