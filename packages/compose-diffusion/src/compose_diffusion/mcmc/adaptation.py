"""Adaptation before a run: step sizes and preconditioners for every level.

A chain whose step size or coordinates depend on its past does not leave the target invariant. So they are estimated
from a pilot population that passes through the levels as in annealed MCMC, and are fixed afterwards.
"""

from dataclasses import replace
from typing import Literal

import torch
from onepaper.config import check_between, check_choice, check_positive
from onepaper.errors import UsageError

from compose_diffusion.algebra.composition import Expression
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.mcmc.kernels import init_state
from compose_diffusion.mcmc.level_steps import Start, check_mcmc, chosen_kernel, run_steps, start_samples
from compose_diffusion.mcmc.preconditioning import (
    PRECONDITIONERS,
    Preconditioner,
    Preconditioning,
    check_preconditioning,
    estimate_preconditioner,
    preconditioned_target,
    preconditioner_at,
)
from compose_diffusion.mcmc.step_sizes import TableStep, step_size_rule

# Acceptance rates of best efficiency in high dimension: default targets of the adaptation.
TARGET_ACCEPTANCE = {"mala": 0.574, "hmc": 0.65}


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
    """Adapt a step size for each level to a target acceptance rate, for MALA and HMC; returns a fixed table.

    Levels are visited from high to low noise. At each level the step size is updated after every step, until the
    acceptance rate crosses its target or `max_rounds` steps are done; the next level starts from that step size.

    Args:
        options: kernel and first step size; the step size rule is used at the highest level only.
        preconditioning: coordinates of the steps, equal to those of the run that uses the table.
        target_acceptance: 0.574 for MALA and 0.65 for HMC if absent.
        rate: relative change of the step size for a difference of 1 in acceptance rate.
    """
    if options.kernel not in TARGET_ACCEPTANCE:
        raise UsageError(f"kernel is '{options.kernel}', expected 'mala' or 'hmc': ula and uhmc never reject")
    check_between("adaptation rate", rate, 0.0, 1.0)
    aim = TARGET_ACCEPTANCE[options.kernel] if target_acceptance is None else target_acceptance
    check_between("target acceptance", aim, 0.0, 1.0)
    x, _ = start_samples(expression, schedule, start, generator)
    check_mcmc(expression, schedule, options)
    check_preconditioning(preconditioning, len(schedule))
    size = step_size_rule(options)(len(schedule) - 1, schedule)
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
            size *= 1 + rate * gap  # the rule of the official toy notebook
            first_gap = gap if first_gap is None else first_gap
            if gap * first_gap < 0:
                break
        sizes[t] = size
        x = state.x if preconditioner is None else preconditioner.unwhiten(state.x)
    return TableStep(tuple(sizes))


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
    """Estimate a preconditioner for each level from the covariance of a pilot population.

    At each level, from high to low noise, estimation and MCMC steps alternate. Neighbouring levels are similar, so the
    population of the level above gives a good first estimate even where plain chains mix slowly.

    Args:
        options: kernel, step sizes (in the estimated coordinates) and number of steps.
        kind: "diagonal" or "full".
        shrinkage: see `estimate_preconditioner`.
        rounds: rounds of `steps_per_level` steps at each level, each with a random factor from 0.5 to 1 on the step
            size.

    Returns:
        One preconditioner for each level, for `draw(..., preconditioning=...)`.
    """
    check_choice("preconditioner", kind, PRECONDITIONERS)
    check_positive("rounds", rounds)
    x, _ = start_samples(expression, schedule, start, generator)
    check_mcmc(expression, schedule, options)
    if options.steps_per_level == 0:
        raise UsageError("steps_per_level is 0, expected MCMC steps of the pilot population; use 1 or more")
    fresh = replace(options, momentum="per-level")
    learnt: list[Preconditioner] = []
    for t in reversed(range(len(schedule))):
        target, step_size = expression.target(t), step_size_rule(options)(t, schedule)
        for _ in range(rounds):
            preconditioner = estimate_preconditioner(x, kind, shrinkage=shrinkage)
            # Random: for an isotropic Gaussian, trajectories of exactly half a period only reflect the population.
            share = 0.5 + 0.5 * float(torch.rand((), generator=generator, device=generator.device))
            x = run_steps(target, x, None, fresh, share * step_size, preconditioner, generator)[0].x
        learnt.append(estimate_preconditioner(x, kind, shrinkage=shrinkage))
    return tuple(reversed(learnt))
