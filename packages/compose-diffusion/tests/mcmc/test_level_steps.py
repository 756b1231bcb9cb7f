import math

import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.algebra.leaves import ExactLeaf, PredictionLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.distributions import GaussianMixture
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.mcmc.level_steps import (
    check_mcmc,
    chosen_kernel,
    run_steps,
    runs_mcmc,
    start_samples,
)
from compose_diffusion.mcmc.preconditioning import DiagonalPreconditioner

SCHEDULE = cosine_schedule(8)
LEAF = ExactLeaf(GaussianMixture([[0.3, -0.1]], std=0.5), SCHEDULE)


@pytest.mark.parametrize("kernel", ["ula", "mala", "uhmc", "hmc"])
def test_steps_end_with_what_is_known_where_they_end(kernel, generator):
    """Position, log density and score belong together, in the coordinates of x, preconditioned or not."""
    x = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    options = SamplerOptions(kernel=kernel, steps_per_level=4)
    target = LEAF.target(3)
    for preconditioner in (None, DiagonalPreconditioner(torch.tensor([0.5, 2.0]))):
        state, infos = run_steps(target, x, None, options, 0.05, preconditioner, generator)
        log_density, score = target(state.x)
        torch.testing.assert_close(state.log_density, log_density)
        torch.testing.assert_close(state.score, score)
        assert len(infos) == 4
        assert (state.momentum is None) == (kernel in ("ula", "mala"))
        assert (state.x != x).any(dim=1).double().mean() > 0.9


def test_momentum_given_is_used(generator):
    x = torch.zeros(5, 2, dtype=torch.float64)
    options = SamplerOptions(kernel="uhmc", damping=1.0, steps_per_level=1, num_leapfrog=1)
    push = torch.full_like(x, 100.0)
    state, _ = run_steps(LEAF.target(7), x, push, options, 0.01, None, generator)
    assert (state.x - 1.0).abs().max() < 0.01


def test_the_window_is_closed_on_both_sides():
    options = SamplerOptions(first_level=5, last_level=2)
    assert [t for t in range(8) if runs_mcmc(t, options)] == [2, 3, 4, 5]
    assert all(runs_mcmc(t, SamplerOptions()) for t in range(8))
    assert not any(runs_mcmc(t, SamplerOptions(steps_per_level=0)) for t in range(8))


def test_options_reach_the_kernel(generator):
    """Mass m with step h sqrt(m) is mass 1 with step h; line points cost evaluations."""
    from compose_diffusion.mcmc.kernels import init_state

    target = LEAF.target(2)
    x = torch.randn(10, 2, generator=generator, dtype=torch.float64)
    found = []
    for mass in (1.0, 4.0):
        kernel = chosen_kernel(SamplerOptions(kernel="hmc", num_leapfrog=5, mass=mass, line_points=4))
        seeded = torch.Generator().manual_seed(1)
        state, info = kernel(init_state(target, x), target, 0.05 * math.sqrt(mass), seeded)
        found.append(state.x)
        assert info.gradient_evaluations == 5 + 2
    torch.testing.assert_close(found[0], found[1])


def test_starts_are_drawn_or_taken(generator):
    drawn, rounded = start_samples(LEAF, SCHEDULE, (4, 2), generator)
    assert drawn.shape == (4, 2)
    assert rounded.betas.dtype == drawn.dtype == torch.float32
    given = torch.zeros(3, 2, dtype=torch.float64)
    taken, exact = start_samples(LEAF, SCHEDULE, given, generator)
    assert taken is given
    assert exact.betas.dtype == torch.float64


def test_what_cannot_run_is_reported(generator):
    score_only = PredictionLeaf(lambda x, t: x, SCHEDULE)
    cases = [
        (lambda: start_samples(LEAF, cosine_schedule(9), (4, 2), generator), "made for 8 noise levels"),
        (lambda: check_mcmc(LEAF, SCHEDULE, SamplerOptions(first_level=8)), "first_level is 8"),
        (lambda: check_mcmc(LEAF, SCHEDULE, SamplerOptions(last_level=8)), "last_level is 8"),
        (lambda: check_mcmc(score_only, SCHEDULE, SamplerOptions(kernel="mala")), "PredictionLeaf does not give"),
    ]
    for build, expected in cases:
        with pytest.raises(UsageError, match=expected) as error:
            build()
        assert "\n" not in str(error.value)
    check_mcmc(score_only, SCHEDULE, SamplerOptions(kernel="mala", line_points=3))
    check_mcmc(score_only, SCHEDULE, SamplerOptions(kernel="hmc", steps_per_level=0))
