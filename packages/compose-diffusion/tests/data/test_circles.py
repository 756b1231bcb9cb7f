"""The noised circle against numerical convolution, autograd and moments."""

import math

import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.data.circles import Circle, make_component
from compose_diffusion.data.distributions import Distribution, UniformBox

CIRCLE = Circle([-0.5, 0.25], radius=0.8)


@pytest.mark.parametrize("alpha_bar", [0.9995, 0.9, 0.3, 0.001])
def test_density_is_the_average_gaussian_over_the_curve(alpha_bar, generator):
    x = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    angles = 2 * math.pi * torch.arange(20_000, dtype=torch.float64) / 20_000
    curve = math.sqrt(alpha_bar) * (CIRCLE.centre + 0.8 * torch.stack([angles.cos(), angles.sin()], dim=1))
    variance = 1 - alpha_bar
    log_kernels = -torch.cdist(x, curve).square() / (2 * variance) - math.log(2 * math.pi * variance)
    expected = torch.logsumexp(log_kernels, dim=1) - math.log(len(curve))
    torch.testing.assert_close(CIRCLE.noised(x, alpha_bar)[0], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("alpha_bar", [0.9995, 0.5, 0.001])
def test_score_is_the_gradient(alpha_bar, generator):
    x = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    step = 1e-6
    score = CIRCLE.noised(x, alpha_bar)[1]
    for axis in range(2):
        shift = torch.zeros(2, dtype=torch.float64).index_fill(0, torch.tensor([axis]), step)
        slope = (CIRCLE.noised(x + shift, alpha_bar)[0] - CIRCLE.noised(x - shift, alpha_bar)[0]) / (2 * step)
        torch.testing.assert_close(score[:, axis], slope, rtol=1e-5, atol=1e-4)


def test_finite_at_the_centre_and_far_away():
    x = torch.tensor([[-0.5, 0.25], [50.0, -50.0], [0.0, 0.0]], dtype=torch.float64)
    for alpha_bar in (1 - 1e-6, 0.5):
        log_density, score = CIRCLE.noised(x, alpha_bar)
        assert log_density.isfinite().all()
        assert score.isfinite().all()
    centre = math.sqrt(0.5) * CIRCLE.centre[None]
    assert CIRCLE.noised(centre, 0.5)[1].norm() < 1e-12, "the centre is a point of symmetry"


def test_samples_lie_on_the_curve(generator):
    x = CIRCLE.sample(4000, generator)
    torch.testing.assert_close((x - CIRCLE.centre).norm(dim=1), torch.full((4000,), 0.8, dtype=torch.float64))
    assert (x.mean(dim=0) - CIRCLE.centre).norm() < 4 * 0.8 / 4000**0.5
    assert CIRCLE.sample(3, generator, torch.float32).dtype == torch.float32


def test_components_by_name():
    assert isinstance(make_component("suite-left-circle"), Circle)
    assert isinstance(make_component("suite-right-circle"), Distribution)
    assert make_component("suite-right-circle").centre.tolist() == [0.5, 0.0]
    assert isinstance(make_component("bar"), UniformBox)
    with pytest.raises(UsageError, match="did you mean 'suite-left-circle'"):
        make_component("suite-left-circel")


def test_what_a_circle_is_not():
    with pytest.raises(UsageError, match=r"circle centre has shape \(3,\), expected \[2\]"):
        Circle([0.0, 0.0, 0.0])
    with pytest.raises(UsageError, match="circle radius"):
        Circle([0.0, 0.0], radius=0.0)
    with pytest.raises(UsageError, match="a curve has none in the plane"):
        CIRCLE.log_prob(torch.zeros(1, 2))
