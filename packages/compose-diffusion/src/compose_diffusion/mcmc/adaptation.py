"""What a run can learn before it starts and then keeps: step sizes and preconditioners for every level.

A chain that changes its own step size or coordinates as it goes no longer leaves the target invariant. So a pilot
population learns them on its way down the levels, as annealed MCMC would go, and they are frozen afterwards.
"""

from dataclasses import replace
from typing import Literal

import torch
from onepaper.config import check_choice, check_positive
from onepaper.errors import UsageError

from compose_diffusion.algebra.composition import Expression
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.mcmc.kernels import init_state
from compose_diffusion.mcmc.level_steps import Start, check_moves, chosen_kernel, move_chains, start_samples
from compose_diffusion.mcmc.preconditioning import (
    PRECONDITIONERS,
    Preconditioner,
    Preconditioning,
    check_preconditioning,
    estimate_preconditioner,
    preconditioned_target,
    preconditioner_at,
)
from compose_diffusion.mcmc.step_sizes import TARGET_ACCEPTANCE, TableStep, adapted_step, frozen_table, step_size_law


def warm_up_step_sizes(
    expression: Expression,
    schedule: NoiseSchedule,
    start: Start,
    options: SamplerOptions,
    generator: torch.Generator,
    *,
    preconditioning: Preconditioning | None = None,
    target_acceptance: float | None = None,
    rate: float = 0.02,
    max_rounds: int = 400,
) -> TableStep:
    """Learn a step size for each level from acceptance rates, for MALA and HMC; then frozen into a table.

    Levels are visited as by annealed MCMC. At each, moves continue, the step being corrected after every one, until
    the acceptance rate crosses its target or `max_rounds` moves are done; the level below starts from that step.

    Args:
        options: kernel and first step size; the step law is used at the highest level only.
        preconditioning: coordinates of the moves, those of the run that will use the table.
        target_acceptance: 0.574 for MALA and 0.65 for HMC if absent.
        rate: relative correction for an acceptance rate that is off by 1.
    """
    if options.kernel not in TARGET_ACCEPTANCE:
        raise UsageError(f"kernel is '{options.kernel}', expected 'mala' or 'hmc': ula and uhmc never reject")
    aim = TARGET_ACCEPTANCE[options.kernel] if target_acceptance is None else target_acceptance
    x, _ = start_samples(expression, schedule, start, generator)
    check_moves(expression, schedule, options)
    check_preconditioning(preconditioning, len(schedule))
    size = step_size_law(options)(len(schedule) - 1, schedule)
    sizes = [size] * len(schedule)
    for t in reversed(range(len(schedule))):
        target, preconditioner = expression.target(t), preconditioner_at(preconditioning, t)
        if preconditioner is not None:
            target, x = preconditioned_target(target, preconditioner), preconditioner.whiten(x)
        state = init_state(target, x, None)
        first_gap: float | None = None
        for _ in range(max_rounds):
            state, info = chosen_kernel(options)(state, target, size, generator)
            gap = float(info.acceptance) - aim
            size = adapted_step(size, float(info.acceptance), aim, rate)
            first_gap = gap if first_gap is None else first_gap
            if gap * first_gap < 0:
                break
        sizes[t] = size
        x = state.x if preconditioner is None else preconditioner.colour(state.x)
    return frozen_table(sizes)


def warm_up_preconditioners(
    expression: Expression,
    schedule: NoiseSchedule,
    start: Start,
    options: SamplerOptions,
    generator: torch.Generator,
    *,
    kind: Literal["diagonal", "full"] = "diagonal",
    shrinkage: float = 0.0,
    rounds: int = 4,
) -> tuple[Preconditioner, ...]:
    """Learn a preconditioner for each level from the covariance of a pilot population; then frozen.

    At each level, from high noise to low: estimate, move, and again. Neighbouring levels are alike, so what the level
    above left is a good first guess even where a plain chain would take very long.

    Args:
        options: kernel, step sizes (in the coordinates that are learnt, in which the target is nearly round) and moves.
        kind: "diagonal" or "full".
        shrinkage: see `estimate_preconditioner`.
        rounds: times `steps_per_level` moves at each level, each round with a random share (half to all) of the step.

    Returns:
        One preconditioner for each level, for `draw(..., preconditioning=...)`.
    """
    check_choice("preconditioner", kind, PRECONDITIONERS)
    check_positive("rounds", rounds)
    x, _ = start_samples(expression, schedule, start, generator)
    check_moves(expression, schedule, options)
    if options.steps_per_level == 0:
        raise UsageError("steps_per_level is 0, expected moves that spread the pilot population; use 1 or more")
    fresh = replace(options, momentum="per-level")
    learnt: list[Preconditioner] = []
    for t in reversed(range(len(schedule))):
        target, step_size = expression.target(t), step_size_law(options)(t, schedule)
        for _ in range(rounds):
            preconditioner = estimate_preconditioner(x, kind, shrinkage=shrinkage)
            # In round coordinates a trajectory of half a period is a mirror, which would leave the population as it is.
            share = 0.5 + 0.5 * float(torch.rand((), generator=generator, device=generator.device))
            x = move_chains(target, x, None, fresh, share * step_size, preconditioner, generator)[0].x
        learnt.append(estimate_preconditioner(x, kind, shrinkage=shrinkage))
    return tuple(reversed(learnt))
