"""Steps and levels, and the exact network of normally distributed pictures."""

import pytest
import torch
from onepaper.errors import UsageError
from torch import Tensor

from imagen3.config import ObjectiveConfig
from imagen3.diffusion.discrete import discrete_levels, step_of
from imagen3.diffusion.objectives import preconditioning, velocity_model
from imagen3.diffusion.samplers import dpmpp_2m
from imagen3.diffusion.times import step_levels
from imagen3.text.encoder import TextFeatures


def test_levels_and_steps() -> None:
    levels = discrete_levels()
    # The ratio of noise and signal after 500 of 1000 steps, from sums of logarithms.
    logs = torch.log1p(-torch.linspace(1e-4, 2e-2, 1000, dtype=torch.float64))
    ratio = torch.sqrt(torch.expm1(-logs[:500].sum()))
    assert float(levels[499] / (1 - levels[499])) == pytest.approx(float(ratio))
    torch.testing.assert_close(step_of(levels), torch.arange(1000, dtype=torch.float64))
    assert step_of(torch.tensor([0.0, 1.0])).tolist() == [0.0, 999.0]


def test_pictures_of_the_exact_network() -> None:
    """With z_0 ~ N(m, s^2): E[noise | x] = sigma (x - alpha m) / (alpha^2 s^2 + sigma^2)."""
    mean, spread, levels = 0.7, 0.4, discrete_levels()

    def network(x: Tensor, time: Tensor, text: TextFeatures) -> Tensor:
        step = time * 1000
        low = step.floor().long().clamp(max=998)
        t = torch.lerp(levels[low], levels[low + 1], step - low)[:, None, None, None]
        root = ((1 - t) ** 2 + t**2).sqrt()
        alpha, sigma = (1 - t) / root, t / root
        noise = sigma * (x - alpha * mean) / (alpha**2 * spread**2 + sigma**2)
        return torch.cat([noise, 9 * torch.ones_like(noise)], dim=1)

    model = velocity_model(network, ObjectiveConfig("epsilon"))
    start = torch.linspace(-2, 2, 6, dtype=torch.float64)[:, None, None, None]
    text = TextFeatures(torch.zeros(6, 1, 1), torch.ones(6, 1, dtype=torch.bool), torch.zeros(6, 1))
    found = dpmpp_2m(lambda z, t: model(z, torch.full((6,), t, dtype=torch.float64), text), start, step_levels(50))
    assert found.shape == start.shape
    # The last of the 1000 steps is not noise alone, which the start is.
    torch.testing.assert_close(found, mean + spread * start, rtol=0, atol=0.06)


def test_such_networks_are_not_trained() -> None:
    with pytest.raises(UsageError, match="only sampled"):
        preconditioning(torch.rand(3), ObjectiveConfig("epsilon"))
