import math

import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion import ExactLeaf, GaussianMixture, SamplerOptions, cosine_schedule
from compose_diffusion.samplers.step_sweep import StepSweep, sweep_step_sizes

SCHEDULE = cosine_schedule(6)
# Of unit variance, N(0, I) at every level: rates and distances do not depend on the level.
ROUND = ExactLeaf(GaussianMixture([[0.0, 0.0]], std=1.0), SCHEDULE)
MALA = SamplerOptions(kernel="mala", steps_per_level=1, step_scale=0.1)


def sweep(options, factors=(1.0, 4.0), count=4000):
    start = torch.randn(count, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return sweep_step_sizes(ROUND, SCHEDULE, start, options, factors, torch.Generator().manual_seed(1))


def test_a_langevin_move_on_a_round_density_goes_as_far_as_the_formula_says():
    """Without a Metropolis test E |x' - x|^2 = h^2 E |x|^2 + 2 h d; over d, sigma_t^2 and one evaluation."""
    found = sweep(SamplerOptions(kernel="ula", steps_per_level=1, step_scale=0.1))
    for index, factor in enumerate(found.factors):
        h = 0.1 * factor
        for t in range(6):
            variance = 1 - float(SCHEDULE.alphas_cumprod[t])
            expected = (h**2 + 2 * h) / variance
            assert float(found.distance[index, t]) == pytest.approx(expected, rel=5 * math.sqrt(1 / 4000))
    assert found.acceptance.eq(1).all()
    assert found.non_finite == (0, 0)


@pytest.mark.parametrize("method", ["annealed", "reverse-mcmc"])
def test_acceptance_is_that_of_a_chain_at_rest(method):
    """Of MALA on N(0, I) in two dimensions, by a simulation that knows nothing of levels."""
    found = sweep(SamplerOptions(method=method, kernel="mala", steps_per_level=1, step_scale=0.4), factors=(1.0, 2.0))
    generator = torch.Generator().manual_seed(2)
    for index, h in enumerate((0.4, 0.8)):
        x, noise = torch.randn(2, 40_000, 2, generator=generator, dtype=torch.float64)
        y = (1 - h) * x + math.sqrt(2 * h) * noise
        log_ratio = 0.5 * (x.square() - y.square()).sum(1) + (
            (y - (1 - h) * x).square().sum(1) - (x - (1 - h) * y).square().sum(1)
        ) / (4 * h)
        expected = log_ratio.clamp(max=0).exp().mean()
        rates = found.acceptance[index][~found.acceptance[index].isnan()]
        assert len(rates) == (6 if method == "annealed" else 5)  # that run steps down first
        torch.testing.assert_close(rates, expected.expand(len(rates)), atol=0.025, rtol=0)


def test_levels_without_steps_are_nan_and_do_not_count():
    found = sweep(
        SamplerOptions(kernel="hmc", steps_per_level=1, step_scale=0.3, first_level=3, last_level=2), count=50
    )
    assert [t for t in range(6) if not found.acceptance[0, t].isnan()] == [2, 3]
    assert found.best in found.factors


def test_the_best_factor_goes_farthest_in_the_geometric_mean():
    distance = torch.tensor([[1.0, 1.0, torch.nan], [9.0, 0.2, torch.nan], [0.5, 0.5, torch.nan]])
    assert StepSweep((0.5, 1.0, 2.0), distance, distance, (0, 0, 0)).best == 1.0


def test_no_factor_is_best_where_nothing_moved():
    distance = torch.tensor([[1.0, 0.0], [9.0, 0.0]])
    found = StepSweep((0.5, 1.0), distance, distance, (0, 0))
    assert found.best is None
    assert found.mean_distance.tolist() == [0.0, 0.0]
    # One level of all that stands still outweighs any distance at the others.
    assert StepSweep((0.5, 1.0), distance, torch.tensor([[9.0, 0.0], [0.1, 0.1]]), (0, 0)).best == 1.0


@pytest.mark.parametrize(
    ("options", "factors", "message"),
    [
        (SamplerOptions(method="reverse"), (1.0,), "method 'reverse'.* has no step size to compare"),
        (SamplerOptions(steps_per_level=0), (1.0,), "0 MCMC steps a level"),
        (MALA, (), "factors are empty"),
        (MALA, (1.0, -2.0), "step factor is -2.0"),
    ],
)
def test_bad_requests(options, factors, message):
    with pytest.raises(UsageError, match=message):
        sweep(options, factors, count=4)
