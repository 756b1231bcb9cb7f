"""Objectives: closed forms of other works, conversions there and back, and pictures whatever is predicted."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from imagen3.config import ObjectiveConfig
from imagen3.diffusion.objectives import preconditioning, velocity_model
from imagen3.diffusion.samplers import heun
from imagen3.diffusion.times import step_levels
from imagen3.text.encoder import TextFeatures

TEXT = TextFeatures(torch.zeros(6, 1, 1), torch.ones(6, 1, dtype=torch.bool), torch.zeros(6, 1))
CONFIGS = [ObjectiveConfig("rf"), ObjectiveConfig("v"), ObjectiveConfig("edm"), ObjectiveConfig("edm", 1.7)]


def example() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Levels with both ends, pictures, noise and the mixture of both."""
    generator = torch.Generator().manual_seed(0)
    t = torch.tensor([0.0, 0.1, 0.4, 0.5, 0.9, 1.0], dtype=torch.float64)[:, None, None, None]
    z, noise = torch.randn(2, 6, 3, 4, 4, generator=generator, dtype=torch.float64)
    return t, z, noise, (1 - t) * z + t * noise


@pytest.mark.parametrize("config", CONFIGS)
def test_the_target_gives_the_velocity(config: ObjectiveConfig) -> None:
    t, z, noise, noised = example()
    factors = preconditioning(t, config)
    target = (noise - z - factors.skip * noised) / factors.output
    assert torch.isfinite(target).all()

    def network(given: Tensor, level: Tensor, text: TextFeatures) -> Tensor:
        torch.testing.assert_close(given, factors.input * noised)
        return target

    found = velocity_model(network, config)(noised, t.flatten(), TEXT)
    torch.testing.assert_close(found, noise - z, rtol=1e-10, atol=1e-10)


def test_v_is_that_of_salimans_and_ho() -> None:
    t, z, noise, noised = example()
    factors = preconditioning(t, ObjectiveConfig("v"))
    alpha, sigma = torch.cos(torch.atan2(t, 1 - t)), torch.sin(torch.atan2(t, 1 - t))
    torch.testing.assert_close(factors.input * noised, alpha * z + sigma * noise)
    target = (noise - z - factors.skip * noised) / factors.output
    torch.testing.assert_close(target, alpha * noise - sigma * z)


@pytest.mark.parametrize("deviation", [0.5, 1.0, 2.0])
def test_edm_is_that_of_karras(deviation: float) -> None:
    """Table 1 of Karras et al. (2022), at the noise levels where sigma is finite."""
    t, _, _, noised = (part[:-1] for part in example())
    factors = preconditioning(t, ObjectiveConfig("edm", deviation))
    sigma = t / (1 - t)
    x, root = noised / (1 - t), torch.sqrt(sigma**2 + deviation**2)
    torch.testing.assert_close(factors.input * noised, x / root)
    output = torch.randn(noised.shape, dtype=torch.float64)
    picture = deviation**2 / root**2 * x + sigma * deviation / root * output
    velocity = factors.skip * noised + factors.output * output
    torch.testing.assert_close(noised - t * velocity, picture)


def test_edm_of_unit_deviation_is_v_with_the_other_sign() -> None:
    t, *_ = example()
    one, two = (preconditioning(t, config) for config in (ObjectiveConfig("v"), ObjectiveConfig("edm", 1.0)))
    torch.testing.assert_close(one.input, two.input)
    torch.testing.assert_close(one.skip, two.skip)
    torch.testing.assert_close(one.output, -two.output)


@pytest.mark.parametrize("config", CONFIGS)
def test_samplers_take_networks_of_any_objective(config: ObjectiveConfig) -> None:
    """The optimal network of normally distributed pictures transports noise to them."""
    mean, spread = 0.7, 0.4

    def network(given: Tensor, level: Tensor, text: TextFeatures) -> Tensor:
        t = level[:, None, None, None]
        factors = preconditioning(t, config)
        z = given / factors.input
        variance = (1 - t) ** 2 * spread**2 + t**2
        exact = (t - (1 - t) * spread**2) / variance * (z - (1 - t) * mean) - mean
        return (exact - factors.skip * z) / factors.output

    model = velocity_model(network, replace(config))
    start = torch.linspace(-2, 2, 6, dtype=torch.float64)[:, None, None, None]
    text = TEXT
    found = heun(lambda z, t: model(z, torch.full((6,), t, dtype=torch.float64), text), start, step_levels(40))
    torch.testing.assert_close(found, mean + spread * start, rtol=0, atol=3e-3)
