import math
from dataclasses import replace

import pytest
import torch

from compose_diffusion.config.digits import ClassifierConfig, DenoiserConfig, GuidanceConfig
from compose_diffusion.config.networks import ScheduleConfig
from compose_diffusion.data.digits import load_digits
from compose_diffusion.evaluation.guided_digits import (
    ARMS,
    MEASURES,
    first_rows,
    guidance_accuracy,
    real_frechet_distance,
)
from compose_diffusion.models.digits import Denoiser, DigitModels, NoisyClassifier

FEW = GuidanceConfig(num_images=30)
FEW = replace(FEW, mcmc=replace(FEW.mcmc, steps_per_level=1))


@pytest.fixture(scope="module")
def models():
    return DigitModels.from_pretrained()


@pytest.fixture(scope="module")
def few_levels(tmp_path_factory):
    """A weights folder of tiny untrained networks, where every sampler is quick."""
    folder = tmp_path_factory.mktemp("weights")
    schedule = ScheduleConfig(num_levels=5)
    Denoiser(DenoiserConfig(width=8, schedule=schedule)).save_pretrained(folder / "denoiser")
    NoisyClassifier(ClassifierConfig(width=8, schedule=schedule)).save_pretrained(folder / "classifier")
    return folder


@pytest.fixture(scope="module")
def drawn(models):
    return guidance_accuracy(FEW, 100, models)


def test_both_arms_are_measured(drawn):
    assert set(drawn.measured) == {f"{arm}/{name}" for arm in ARMS for name in MEASURES}
    assert all(math.isfinite(value) for value in drawn.measured.values())
    for arm in ARMS:
        assert drawn.images[arm].shape == (30, 1, 8, 8)
        assert 0.3 < drawn.measured[f"{arm}/accuracy"] <= 1
        assert drawn.measured[f"{arm}/nearest_distance"] > 0.1
    assert drawn.labels.tolist() == list(range(10)) * 3


def test_evaluations_are_counted(drawn):
    # Two networks; after each of 99 reverse steps, one evaluation where the chain starts and one for its single move.
    assert drawn.measured["reverse/network_evaluations"] == 2 * 100
    assert drawn.measured["mcmc/network_evaluations"] == 2 * (1 + 99 * 2)


def test_same_seed_same_samples(few_levels):
    models = DigitModels.from_pretrained(few_levels)
    first, again, other = (guidance_accuracy(FEW, seed, models) for seed in (1, 1, 2))
    for arm in ARMS:
        torch.testing.assert_close(again.images[arm], first.images[arm], rtol=0, atol=0)
        assert not torch.equal(other.images[arm], first.images[arm])
    assert not torch.equal(first.images["mcmc"], first.images["reverse"])


def test_arms_without_steps_are_equal(few_levels):
    config = replace(FEW, mcmc=replace(FEW.mcmc, steps_per_level=0))
    samples = guidance_accuracy(config, 1, DigitModels.from_pretrained(few_levels))
    torch.testing.assert_close(samples.images["mcmc"], samples.images["reverse"], rtol=0, atol=0)


def test_first_rows(drawn):
    pictures = first_rows(drawn, rows=2)
    assert list(pictures) == list(ARMS)
    torch.testing.assert_close(pictures["mcmc"], drawn.images["mcmc"][:20], rtol=0, atol=0)


def test_real_distance_falls_with_the_number_of_images():
    assert real_frechet_distance(1000) < real_frechet_distance(50)
    assert len(load_digits("model")) > 1000
