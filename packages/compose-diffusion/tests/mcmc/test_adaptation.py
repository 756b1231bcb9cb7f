import math
from dataclasses import replace

import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.algebra.leaves import ExactLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.distributions import GaussianMixture, bar, ring
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.mcmc.adaptation import warm_up_preconditioners, warm_up_step_sizes
from compose_diffusion.mcmc.preconditioning import DiagonalPreconditioner
from compose_diffusion.samplers.samplers import draw


def start(num_samples, generator, dim=2):
    return torch.randn(num_samples, dim, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("kernel", "target"), [("mala", 0.574), ("hmc", 0.65)])
def test_warm_up_finds_steps_of_the_wanted_acceptance(kernel, target, generator):
    schedule = cosine_schedule(6)
    expression = ExactLeaf(ring(std=0.1), schedule) & ExactLeaf(bar(), schedule)
    options = SamplerOptions(kernel=kernel, step_scale=0.1, steps_per_level=10)
    table = warm_up_step_sizes(expression, schedule, start(400, generator), options, generator, rate=0.1)
    frozen = replace(options, step_law="table", step_table=table.sizes)
    found = draw(expression, schedule, start(400, generator), frozen, generator)
    assert (found.acceptance - target).abs().max() < 0.1
    assert table.sizes[0] < table.sizes[3]


def test_step_sizes_are_learnt_in_the_coordinates_of_the_run(generator):
    """Scaling a Gaussian and its coordinates alike changes nothing: the table is the same number for number."""
    schedule = cosine_schedule(3)
    x = start(200, generator)
    options = SamplerOptions(kernel="mala", step_scale=0.1)
    leaf = ExactLeaf(GaussianMixture([[0.0, 0.0]], std=0.5), schedule)
    plain, preconditioned = (
        warm_up_step_sizes(
            leaf, schedule, x, options, torch.Generator().manual_seed(1), preconditioning=preconditioning, rate=0.1
        ).sizes
        for preconditioning in (None, DiagonalPreconditioner(torch.full((2,), 4.0)))
    )
    aimed = [size * 4 for size in preconditioned]
    assert aimed == pytest.approx(plain, rel=0.15)


def steep(schedule):
    """Product of two Gaussians whose covariance has condition number 400, turned by 30 degrees."""
    turn = torch.tensor([[math.cos(0.52), -math.sin(0.52)], [math.sin(0.52), math.cos(0.52)]], dtype=torch.float64)
    covariance = turn @ torch.diag(torch.tensor([2.0, 0.005], dtype=torch.float64)) @ turn.mT
    leaves = [
        ExactLeaf(GaussianMixture([mean], covariances=covariance[None]), schedule) for mean in ([1.0, 0.0], [0.0, 1.0])
    ]
    return leaves[0] & leaves[1], covariance


@pytest.mark.parametrize("seed", range(3))
def test_preconditioners_are_the_covariances_of_every_level(seed):
    generator, schedule = torch.Generator().manual_seed(seed), cosine_schedule(6)
    expression, covariance = steep(schedule)
    # While the learnt covariance is still twice too wide, three steps of 0.7 are half a period: moves of that length
    # alone would mirror the population and leave it as wide as it is.
    options = SamplerOptions(kernel="hmc", step_scale=0.7, steps_per_level=6)
    learnt = warm_up_preconditioners(expression, schedule, start(1000, generator), options, generator, kind="full")
    assert len(learnt) == 6
    for preconditioner, abar in zip(learnt, schedule.alphas_cumprod.tolist(), strict=True):
        exact = (abar * covariance + (1 - abar) * torch.eye(2)) / 2
        found = preconditioner.factor @ preconditioner.factor.mT
        # In coordinates in which the exact covariance is the identity.
        factor = torch.linalg.cholesky(exact)
        ratio = torch.linalg.solve(factor, torch.linalg.solve(factor, found).mT)
        assert (ratio - torch.eye(2)).abs().max() < 5 * math.sqrt(2 / 1000)
    found = draw(expression, schedule, start(2000, generator), options, generator, preconditioning=learnt)
    abar = float(schedule.alphas_cumprod[0])
    exact = (abar * covariance + (1 - abar) * torch.eye(2)) / 2
    factor = torch.linalg.cholesky(exact)
    whitened = torch.linalg.solve(factor, (found.x - found.x.mean(dim=0)).mT)
    assert (torch.cov(whitened) - torch.eye(2)).abs().max() < 4 * math.sqrt(2 / 2000)
    assert float(found.acceptance.max() - found.acceptance.min()) < 0.1, "one step size fits all levels"


def test_bad_settings_are_reported(generator):
    schedule = cosine_schedule(4)
    leaf = ExactLeaf(ring(), schedule)
    x = start(4, generator)
    still = SamplerOptions(steps_per_level=0)
    cases = [
        (
            lambda: warm_up_step_sizes(leaf, schedule, x, SamplerOptions(kernel="ula"), generator),
            "kernel is 'ula', expected 'mala' or 'hmc'",
        ),
        (
            lambda: warm_up_step_sizes(leaf, schedule, x, SamplerOptions(), generator, target_acceptance=1.5),
            "target acceptance is 1.5",
        ),
        (lambda: warm_up_preconditioners(leaf, schedule, x, still, generator), "steps_per_level is 0"),
        (lambda: warm_up_preconditioners(leaf, schedule, x, SamplerOptions(), generator, rounds=0), "rounds is 0"),
        (lambda: warm_up_preconditioners(leaf, cosine_schedule(9), x, SamplerOptions(), generator), "made for 4 noise"),
    ]
    for build, expected in cases:
        with pytest.raises(UsageError, match=expected) as error:
            build()
        assert "\n" not in str(error.value)
