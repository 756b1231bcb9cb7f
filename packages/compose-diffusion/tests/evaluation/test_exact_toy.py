"""The toy's targets against closed forms, and its runs against themselves."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from compose_diffusion.config.toy import ToyExactConfig
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.evaluation.exact_toy import (
    NEGATION_MEANS,
    NEGATION_STD,
    NEGATION_WEIGHTS,
    composition,
    log_density_grid,
    measure,
    negation_target,
    run_row,
    settled_variance,
    true_samples,
)

SMALL = ToyExactConfig(num_samples=400)


def test_negation_target_by_numerical_integration():
    """Moments of exp(1.3 log N_0 - 0.3 log N_1) on a grid, densities from scipy."""
    axis = np.linspace(-6, 6, 801)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    parts = [
        weight * multivariate_normal(mean, std**2).logpdf(grid)
        for weight, mean, std in zip(
            (NEGATION_WEIGHTS[0], -NEGATION_WEIGHTS[1]), NEGATION_MEANS, NEGATION_STD, strict=True
        )
    ]
    density = np.exp(sum(parts))
    density /= density.sum()
    mean = (density[..., None] * grid).sum(axis=(0, 1))
    variance = (density[..., None] * (grid - mean) ** 2).sum(axis=(0, 1))
    target_mean, target_std = negation_target()
    np.testing.assert_allclose(target_mean.numpy(), mean, atol=1e-3)
    np.testing.assert_allclose(target_std**2, variance, rtol=1e-3)


@pytest.mark.parametrize("task", ["product", "mixture", "negation"])
def test_true_samples_score_as_true(task, generator):
    config = replace(SMALL, task=task, num_samples=1000)
    found = measure(config, true_samples(config, generator), seed=3)
    assert abs(found["MMD^2"]) < 0.01
    expected = {
        "product": {"accuracy": 0.995, "log likelihood": 3.48, "upper mode": 0.5, "outside": 0.0},
        "mixture": {"inside": 1.0, "left": 0.5, "variance of |x|": 0.2**2 / 12},
        "negation": {"mean error": 0.0, "variance ratio": 1.0},
    }[task]
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=0.06), name


def test_same_seed_same_samples():
    one, _ = run_row(SMALL, "reverse", 7)
    again, _ = run_row(SMALL, "reverse", 7)
    other, _ = run_row(SMALL, "reverse", 8)
    assert torch.equal(one.x, again.x)
    assert not torch.equal(one.x, other.x)


def test_ula_settles_at_its_closed_form_and_mala_does_not():
    """ULA on N(0, s^2) settles at s^2 / (1 - h / (2 s^2)); with h = s^2 that is twice the variance."""
    config = replace(SMALL, num_samples=1000)
    assert settled_variance(config, "ula", 1.0, 0)["variance ratio"] == pytest.approx(2.0, rel=0.1)
    assert settled_variance(config, "mala", 1.0, 0)["variance ratio"] == pytest.approx(1.0, rel=0.1)
    # Leapfrog with fresh momentum: 1 / (1 - h^2 / (4 s^2)).
    assert settled_variance(config, "uhmc", 0.9, 0)["variance ratio"] == pytest.approx(1 / (1 - 0.81 / 4), rel=0.1)


def test_grid_is_the_composition():
    grid = log_density_grid(SMALL, level=5, points=21)
    place = torch.tensor([[-1.0 + 2.0 * 3 / 20, -1.0 + 2.0 * 15 / 20]], dtype=torch.float64)
    best = torch.tensor([[0.0, 0.5]], dtype=torch.float64)
    at = composition(SMALL, cosine_schedule(100)).evaluate
    difference = at(place, 5).log_density - at(best, 5).log_density
    assert grid.max() == 0
    assert float(grid[15, 3] - grid[15, 10]) == pytest.approx(float(difference), abs=1e-6)
