"""Samplers against the exact velocity of a normal distribution."""

import math
from collections.abc import Callable

import pytest
import torch
from onepaper.errors import OnePaperError
from torch import Tensor

from imagen3.diffusion.samplers import ancestral, churn, dpmpp_2m, euler, heun
from imagen3.diffusion.times import step_levels

MEAN, SPREAD = 0.7, 0.4


def velocity(z: Tensor, t: float) -> Tensor:
    """E[noise - z_0 | z_t] for z_0 ~ N(MEAN, SPREAD^2)."""
    variance = (1 - t) ** 2 * SPREAD**2 + t**2
    return (t - (1 - t) * SPREAD**2) / variance * (z - (1 - t) * MEAN) - MEAN


def largest_error(sampler: Callable[..., Tensor], steps: int) -> float:
    """The flow takes the quantile u of N(0, 1) to that of N(MEAN, SPREAD^2)."""
    start = torch.linspace(-2, 2, 9, dtype=torch.float64).reshape(1, 1, 1, 9)
    return float((sampler(velocity, start, step_levels(steps)) - (MEAN + SPREAD * start)).abs().max())


@pytest.mark.parametrize(("sampler", "order"), [(euler, 1), (heun, 2), (dpmpp_2m, 1.5)])
def test_order_of_convergence(sampler: Callable[..., Tensor], order: float) -> None:
    coarse, fine = largest_error(sampler, 40), largest_error(sampler, 80)
    assert fine < 0.02
    assert math.log2(coarse / fine) > order - 0.15


def test_higher_orders_are_better() -> None:
    assert largest_error(heun, 16) < largest_error(euler, 16) / 5
    assert largest_error(dpmpp_2m, 16) < largest_error(euler, 16) / 2


def test_dpmpp_by_hand() -> None:
    """Two steps: both are of order 1, the exact step for a constant prediction of the picture."""
    z = torch.full((1, 1, 1, 1), 0.5, dtype=torch.float64)
    first = z - velocity(z, 1.0)
    middle = 0.5 * z + 0.5 * first
    last = middle - 0.5 * velocity(middle, 0.5)
    torch.testing.assert_close(dpmpp_2m(velocity, z, step_levels(2)), last)


def test_dpmpp_with_unequal_steps() -> None:
    """The second step extrapolates the prediction linearly in log(alpha / sigma), to the middle of the step."""
    levels = torch.tensor([0.9, 0.6, 0.5], dtype=torch.float64)
    start = torch.full((1, 1, 1, 1), 0.5, dtype=torch.float64)
    log_ratio = torch.log((1 - levels) / levels)
    decay = torch.exp(log_ratio[:-1] - log_ratio[1:])
    first = start - 0.9 * velocity(start, 0.9)
    middle = 0.6 / 0.9 * start + 0.4 * (1 - decay[0]) * first
    second = middle - 0.6 * velocity(middle, 0.6)
    slope = (second - first) / (log_ratio[1] - log_ratio[0])
    extrapolated = second + slope * (log_ratio[2] - log_ratio[1]) / 2
    expected = 0.5 / 0.6 * middle + 0.5 * (1 - decay[1]) * extrapolated
    torch.testing.assert_close(dpmpp_2m(velocity, start, levels), expected)


def test_ancestral_keeps_the_distribution() -> None:
    generator = torch.Generator().manual_seed(0)

    def noise() -> Tensor:
        return torch.randn(20_000, 1, 1, 1, generator=generator, dtype=torch.float64)

    z = ancestral(velocity, noise(), step_levels(100), noise)
    assert float(z.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(z.std()) == pytest.approx(SPREAD, abs=0.02)


def test_churn() -> None:
    """Without noise it is Heun's method; with noise it keeps the distribution and draws other pictures."""
    start = torch.linspace(-2, 2, 9, dtype=torch.float64).reshape(1, 1, 1, 9)
    still = churn(velocity, start, step_levels(20), lambda: torch.ones_like(start), 0.0)
    torch.testing.assert_close(still, heun(velocity, start, step_levels(20)))
    generator = torch.Generator().manual_seed(0)

    def noise() -> Tensor:
        return torch.randn(20_000, 1, 1, 1, generator=generator, dtype=torch.float64)

    first = noise()
    z = churn(velocity, first, step_levels(60), noise, 20.0)
    assert float(z.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(z.std()) == pytest.approx(SPREAD, abs=0.02)
    assert float((z - MEAN - SPREAD * first).abs().max()) > 0.1


def test_values_that_are_not_finite() -> None:
    with pytest.raises(OnePaperError, match="not finite after noise level 0.5000"):
        euler(lambda z, t: z / (0 if t < 0.6 else 1), torch.ones(1, 1, 1, 1), step_levels(4))
