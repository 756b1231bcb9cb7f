"""Drawing from a composition: ancestral steps, annealed MCMC, or both at every level (section 3.5, Algorithm 1).

Each sampler is one function (expression, schedule, start, options, generator) -> SampleResult whose body is the
algorithm; `draw` picks the one that the options name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.composition import Expression
from compose_diffusion.diffusion import NoiseSchedule, noise_from_score, reverse_step
from compose_diffusion.kernels import ChainState, MoveInfo, Target, draw_momentum, hmc, init_state, mala, uhmc, ula
from compose_diffusion.sampler_options import SamplerOptions
from compose_diffusion.step_sizes import (
    TARGET_ACCEPTANCE,
    StepSize,
    TableStep,
    adapted_step,
    frozen_table,
    step_size_law,
)

Start = Tensor | Sequence[int]
# Called after each level with the level and how many of all levels are done.
Progress = Callable[[int, int, int], None]


@dataclass(eq=False)
class SampleResult:
    """Samples, and what it took to draw them.

    Attributes:
        x: [batch, *event], samples.
        acceptance: [levels], mean acceptance probability of the MCMC moves at each level, NaN where none ran.
        gradient_evaluations: evaluations of the composition for every sample; times the number of leaves for models.
        non_finite: proposals that were rejected because they were not finite, all samples together.
        trajectory: [levels + 1, batch, *event], start and the samples as each level left them; None unless asked for.
    """

    x: Float[Tensor, "batch *event"]
    acceptance: Float[Tensor, " levels"]
    gradient_evaluations: int
    non_finite: int
    trajectory: Float[Tensor, "visits batch *event"] | None = None


@dataclass(eq=False)
class _Record:
    """What a run counts. Acceptance and non-finite proposals stay tensors, read once at the end."""

    num_levels: int
    keep_trajectory: bool
    progress: Progress | None
    acceptance: dict[int, list[Tensor]] = field(default_factory=dict)
    non_finite: list[Tensor] = field(default_factory=list)
    gradient_evaluations: int = 0
    visits: list[Tensor] = field(default_factory=list)

    def visit(self, x: Tensor) -> None:
        if self.keep_trajectory:
            self.visits.append(x)

    def move(self, t: int, info: MoveInfo) -> None:
        self.acceptance.setdefault(t, []).append(info.acceptance)
        self.non_finite.append(info.non_finite)
        self.gradient_evaluations += info.gradient_evaluations

    def level_done(self, t: int, x: Tensor) -> None:
        self.visit(x)
        if self.progress is not None:
            self.progress(t, self.num_levels - t, self.num_levels)

    def result(self, x: Tensor) -> SampleResult:
        acceptance = torch.full((self.num_levels,), torch.nan, dtype=torch.float64)
        for t, values in self.acceptance.items():
            acceptance[t] = float(torch.stack(values).mean())
        non_finite = int(torch.stack(self.non_finite).sum()) if self.non_finite else 0
        trajectory = torch.stack(self.visits) if self.visits else None
        return SampleResult(x, acceptance, self.gradient_evaluations, non_finite, trajectory)


def reverse_diffusion(
    expression: Expression,
    schedule: NoiseSchedule,
    start: Start,
    options: SamplerOptions,
    generator: torch.Generator,
    *,
    keep_trajectory: bool = False,
    progress: Progress | None = None,
) -> SampleResult:
    """Ancestral steps with the composed noise prediction: the wrong law for products (section 3.2)."""
    x, rounded = _prepare(expression, schedule, start, generator)
    record = _Record(len(schedule), keep_trajectory, progress)
    record.visit(x)
    for t in reversed(range(len(schedule))):
        noise = expression.evaluate(x, t, energy=False).predicted_noise(t, rounded)
        record.gradient_evaluations += 1
        x = _reverse(x, noise, t, rounded, options, generator)
        record.level_done(t, x)
    return record.result(x)


def annealed_mcmc(
    expression: Expression,
    schedule: NoiseSchedule,
    start: Start,
    options: SamplerOptions,
    generator: torch.Generator,
    *,
    keep_trajectory: bool = False,
    progress: Progress | None = None,
) -> SampleResult:
    """MCMC at every level from high to low noise, each started where the level above ended (the official toy)."""
    x, _ = _prepare(expression, schedule, start, generator)
    _check_mcmc(expression, schedule, options)
    record = _Record(len(schedule), keep_trajectory, progress)
    record.visit(x)
    momentum = None
    for t in reversed(range(len(schedule))):
        if _runs_mcmc(t, options):
            state = _mcmc_at_level(expression, schedule, x, momentum, t, options, generator, record)
            x, momentum = state.x, state.momentum
        record.level_done(t, x)
    return record.result(x)


def reverse_mcmc(
    expression: Expression,
    schedule: NoiseSchedule,
    start: Start,
    options: SamplerOptions,
    generator: torch.Generator,
    *,
    keep_trajectory: bool = False,
    progress: Progress | None = None,
) -> SampleResult:
    """An ancestral step from level t to t - 1, then MCMC at t - 1, down to clean data (the official image sampler)."""
    x, rounded = _prepare(expression, schedule, start, generator)
    _check_mcmc(expression, schedule, options)
    record = _Record(len(schedule), keep_trajectory, progress)
    record.visit(x)
    state, momentum = None, None
    for t in reversed(range(len(schedule))):
        if state is None:
            noise = expression.evaluate(x, t, energy=False).predicted_noise(t, rounded)
            record.gradient_evaluations += 1
        else:  # the chains at this level have just computed the score where they ended
            noise = noise_from_score(state.score, t, rounded)
        x = _reverse(x, noise, t, rounded, options, generator)
        state = None
        if t > 0 and _runs_mcmc(t - 1, options):
            state = _mcmc_at_level(expression, schedule, x, momentum, t - 1, options, generator, record)
            x, momentum = state.x, state.momentum
        record.level_done(t, x)
    return record.result(x)


SAMPLERS = {"reverse": reverse_diffusion, "annealed": annealed_mcmc, "reverse-mcmc": reverse_mcmc}


def draw(
    expression: Expression,
    schedule: NoiseSchedule,
    start: Start,
    options: SamplerOptions,
    generator: torch.Generator,
    *,
    keep_trajectory: bool = False,
    progress: Progress | None = None,
) -> SampleResult:
    """Sample by the method that `options` name.

    Args:
        expression: the composition.
        schedule: noise levels, those its leaves were made for.
        start: samples at the highest level, [batch, *event], whose dtype and device the run takes; or a shape, drawn
            from N(0, I) in float32.
        options: method, kernel, step sizes.
        generator: all randomness, on start's device.
        keep_trajectory: also return the samples after each level.
        progress: called as progress(t, levels_done, num_levels) after each level.

    Raises:
        UsageError: leaves made for other levels, a Metropolis kernel without energies, an MCMC window outside the
            schedule.
    """
    return SAMPLERS[options.method](
        expression, schedule, start, options, generator, keep_trajectory=keep_trajectory, progress=progress
    )


def warm_up_step_sizes(
    expression: Expression,
    schedule: NoiseSchedule,
    start: Start,
    options: SamplerOptions,
    generator: torch.Generator,
    *,
    target_acceptance: float | None = None,
    rate: float = 0.02,
    max_rounds: int = 400,
) -> TableStep:
    """Learn a step size for each level from acceptance rates, for MALA and HMC; then frozen into a table.

    Levels are visited as by annealed MCMC. At each, moves continue, the step being corrected after every one, until
    the acceptance rate crosses its target or `max_rounds` moves are done; the level below starts from that step.

    Args:
        options: kernel and first step size; the step law is used at the highest level only.
        target_acceptance: 0.574 for MALA and 0.65 for HMC if absent.
        rate: relative correction for an acceptance rate that is off by 1.
    """
    if options.kernel not in TARGET_ACCEPTANCE:
        raise UsageError(f"kernel is '{options.kernel}', expected 'mala' or 'hmc': ula and uhmc never reject")
    target = TARGET_ACCEPTANCE[options.kernel] if target_acceptance is None else target_acceptance
    x, _ = _prepare(expression, schedule, start, generator)
    _check_mcmc(expression, schedule, options)
    size = step_size_law(options)(len(schedule) - 1, schedule)
    sizes = [size] * len(schedule)
    for t in reversed(range(len(schedule))):
        level_target = _level_target(expression, t)
        state = init_state(level_target, x, None)
        first_gap: float | None = None
        for _ in range(max_rounds):
            state, info = _kernel(options)(state, level_target, size, generator)
            gap = float(info.acceptance) - target
            size = adapted_step(size, float(info.acceptance), target, rate)
            first_gap = gap if first_gap is None else first_gap
            if gap * first_gap < 0:
                break
        sizes[t] = size
        x = state.x
    return frozen_table(sizes)


def _mcmc_at_level(
    expression: Expression,
    schedule: NoiseSchedule,
    x: Tensor,
    momentum: Tensor | None,
    t: int,
    options: SamplerOptions,
    generator: torch.Generator,
    record: _Record,
) -> ChainState:
    """`steps_per_level` moves that leave the composed density of level t invariant."""
    target = _level_target(expression, t)
    step_size: StepSize = step_size_law(options)
    if options.kernel in ("uhmc", "hmc") and (momentum is None or options.momentum == "per-level"):
        momentum = draw_momentum(x, generator, options.mass)
    state = init_state(target, x, momentum)
    record.gradient_evaluations += 1
    for _ in range(options.steps_per_level):
        state, info = _kernel(options)(state, target, step_size(t, schedule), generator)
        record.move(t, info)
    return state


def _level_target(expression: Expression, t: int) -> Target:
    def target(x: Tensor) -> tuple[Tensor | None, Tensor]:
        evaluation = expression.evaluate(x, t)
        return evaluation.log_density, evaluation.score

    return target


def _kernel(options: SamplerOptions) -> Callable[..., tuple[ChainState, MoveInfo]]:
    if options.kernel == "ula":
        return ula
    if options.kernel == "mala":
        return partial(mala, line_points=options.line_points)
    hamiltonian = {"num_leapfrog": options.num_leapfrog, "damping": options.damping, "mass": options.mass}
    if options.kernel == "uhmc":
        return partial(uhmc, **hamiltonian)
    return partial(hmc, line_points=options.line_points, **hamiltonian)


def _runs_mcmc(t: int, options: SamplerOptions) -> bool:
    below_first = options.first_level is None or t <= options.first_level
    return options.steps_per_level > 0 and below_first and t >= options.last_level


def _reverse(
    x: Tensor, noise: Tensor, t: int, schedule: NoiseSchedule, options: SamplerOptions, generator: torch.Generator
) -> Tensor:
    return reverse_step(x, noise, t, schedule, generator, variance=options.reverse_variance, clip_x0=options.clip_x0)


def _prepare(
    expression: Expression, schedule: NoiseSchedule, start: Start, generator: torch.Generator
) -> tuple[Tensor, NoiseSchedule]:
    """Samples at the highest level, and the schedule rounded to their precision (float32 at least)."""
    for leaf in expression.leaves():
        if leaf.schedule is not None and not leaf.schedule.same_levels(schedule):
            raise UsageError(
                f"{type(leaf).__name__} was made for {len(leaf.schedule)} noise levels that differ from the sampler's "
                f"{len(schedule)}, expected the same levels; give it the sampler's schedule and "
                "timesteps=own_schedule.nearest_levels(schedule)"
            )
    x = start if isinstance(start, Tensor) else torch.randn(*start, generator=generator, device=generator.device)
    return x, schedule.to(torch.promote_types(x.dtype, torch.float32))


def _check_mcmc(expression: Expression, schedule: NoiseSchedule, options: SamplerOptions) -> None:
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
