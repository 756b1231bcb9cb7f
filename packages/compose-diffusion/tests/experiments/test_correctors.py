"""The measurements give what the rules of X7 and X8 read, and their parts agree with closed forms."""

from dataclasses import replace

import pytest
import torch
from onepaper.claims import ClaimContext

from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.config.toy import ToyExactConfig
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.experiments import correctors as experiments


def test_the_corrector_is_measured_against_reverse(monkeypatch):
    monkeypatch.setattr(experiments, "PRODUCT", ToyExactConfig(num_levels=12))
    monkeypatch.setattr(experiments, "PARTICLES", (30, 60))
    evidence = experiments.corrector_on_a_product(ClaimContext(seeds=(100, 101)))
    for row in ("reverse", "FKC, N=30", "FKC, N=60"):
        assert 0 <= evidence.measurement(f"{row} accuracy").mean <= 1
        assert evidence.measurement(f"{row} MMD^2").seeds == (100, 101)
    assert "60 weighted particles" in evidence.headline


def test_what_a_weighed_run_keeps(monkeypatch):
    monkeypatch.setattr(experiments, "PRODUCT", ToyExactConfig(num_levels=12))
    found = experiments.corrector_run(40, 100)
    assert found["effective shares"].shape == (12,)
    assert found["effective share"] == found["effective shares"][0]
    assert found["log weights"].shape == (40,)
    assert found["samples"].shape == (40, 2)
    assert 0 < found["distinct share"] <= 1
    assert "effective share" not in experiments.corrector_run(40, 100, SamplerOptions(method="reverse"))


def test_the_steep_product_is_the_gaussian_it_says():
    config = experiments.STEEP
    schedule = cosine_schedule(5)
    expression, axes = experiments.steep_product(config, schedule)
    along = torch.eye(2, dtype=torch.float64) @ axes.mT  # a unit step along each axis
    score = expression.evaluate(along, 0).score @ axes
    abar = float(schedule.alphas_cumprod[0])
    for index, variance in enumerate((config.long_variance, config.thin_variance)):
        assert float(score[index, index]) == pytest.approx(-2 / (abar * variance + 1 - abar))


def test_learnt_coordinates_mend_what_plain_steps_leave(monkeypatch):
    mcmc = replace(experiments.STEEP.mcmc, steps_per_level=10)
    small = replace(experiments.STEEP, num_samples=600, num_levels=10, pilot_samples=200, mcmc=mcmc)
    monkeypatch.setattr(experiments, "STEEP", small)
    evidence = experiments.preconditioning_a_steep_product(ClaimContext(seeds=(100,)))
    assert evidence.measurement("preconditioned HMC, long").mean == pytest.approx(1, abs=4 * (2 / 600) ** 0.5)
    assert evidence.measurement("preconditioned HMC, thin").mean == pytest.approx(1, abs=4 * (2 / 600) ** 0.5)
    assert evidence.measurement("reverse, error").mean > 0.05
