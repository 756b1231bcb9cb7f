"""MCMC at one noise level as described by `SamplerOptions`: levels, kernel, number of steps and coordinates."""

from collections.abc import Sequence
from functools import partial

import torch
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.algebra.composition import Expression
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.mcmc.kernels import (
    ChainState,
    FusingTarget,
    StepInfo,
    Target,
    draw_momentum,
    hmc,
    init_state,
    mala,
    uhmc,
    ula,
)
from compose_diffusion.mcmc.preconditioning import Preconditioner, preconditioned_target

Start = Tensor | Sequence[int]


def start_samples(
    expression: Expression, schedule: NoiseSchedule, start: Start, generator: torch.Generator
) -> tuple[Tensor, NoiseSchedule]:
    """Samples at the highest level, and the schedule rounded to their precision (at least float32).

    Raises:
        UsageError: a leaf has other noise levels.
    """
    for leaf in expression.leaves():
        if leaf.schedule is not None and not leaf.schedule.same_levels(schedule):
            raise UsageError(
                f"{type(leaf).__name__} was made for {len(leaf.schedule)} noise levels that differ from the sampler's "
                f"{len(schedule)}, expected the same levels; give it the sampler's schedule and "
                "timesteps=own_schedule.nearest_levels(schedule)"
            )
    x = start if isinstance(start, Tensor) else torch.randn(*start, generator=generator, device=generator.device)
    return x, schedule.to(torch.promote_types(x.dtype, torch.float32))


def check_mcmc(expression: Expression, schedule: NoiseSchedule, options: SamplerOptions) -> None:
    """Raise `UsageError` if the MCMC levels are outside the schedule, or the kernel needs energies that are missing."""
    for name, level in (("first_level", options.first_level), ("last_level", options.last_level)):
        if level is not None and level >= len(schedule):
            raise UsageError(f"{name} is {level}, expected a level from 0 to {len(schedule) - 1} of the schedule")
    adjusted = options.kernel in ("mala", "hmc") and options.steps_per_level > 0
    if adjusted and options.line_points is None and not expression.has_energy:
        without = dict.fromkeys(type(leaf).__name__ for leaf in expression.leaves() if not leaf.has_energy)
        raise UsageError(
            f"kernel '{options.kernel}' needs log densities, which {', '.join(without)} does not give; use 'ula' "
            "or 'uhmc', models trained as energies, or set line_points"
        )


def runs_mcmc(t: int, options: SamplerOptions) -> bool:
    """Whether the options ask for MCMC at level t."""
    below_first = options.first_level is None or t <= options.first_level
    return options.steps_per_level > 0 and below_first and t >= options.last_level


def chosen_kernel(options: SamplerOptions) -> partial[tuple[ChainState, StepInfo]]:
    """The kernel of the options, with its settings."""
    if options.kernel == "ula":
        return partial(ula)
    if options.kernel == "mala":
        return partial(mala, line_points=options.line_points)
    hamiltonian = {"num_leapfrog": options.num_leapfrog, "damping": options.damping, "mass": options.mass}
    if options.kernel == "uhmc":
        return partial(uhmc, **hamiltonian)
    return partial(hmc, line_points=options.line_points, **hamiltonian)


def run_steps(
    target: Target,
    x: Tensor,
    momentum: Tensor | None,
    options: SamplerOptions,
    step_size: float,
    preconditioner: Preconditioner | None,
    generator: torch.Generator,
) -> tuple[ChainState, list[StepInfo]]:
    """`steps_per_level` MCMC steps; one evaluation in addition to those of the steps.

    Args:
        target: of the level.
        x: [batch, *event], positions of the chains.
        momentum: of Hamiltonian kernels, in the preconditioner's coordinates; sampled if None.
        options: kernel and number of steps.
        step_size: in the preconditioner's coordinates.
        preconditioner: coordinates of the steps, None for those of x.
        generator: all randomness.

    Returns:
        The chains (position and score in the coordinates of x, momentum in those of the steps), and one `StepInfo` a
        step.
    """
    if preconditioner is not None:
        target, x = preconditioned_target(target, preconditioner), preconditioner.whiten(x)
    if options.kernel in ("uhmc", "hmc") and momentum is None:
        momentum = draw_momentum(x, generator, options.mass)
    kernel, state, infos = chosen_kernel(options), init_state(target, x, momentum), list[StepInfo]()
    if isinstance(target, FusingTarget):
        kernel = target.fused(kernel)
    for _ in range(options.steps_per_level):
        state, info = kernel(state, target, step_size, generator)
        infos.append(info)
    if preconditioner is not None:
        position, score = preconditioner.unwhiten(state.x), preconditioner.unwhiten_score(state.score)
        state = ChainState(position, state.log_density, score, state.momentum)
    return state, infos
