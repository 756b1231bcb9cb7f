"""Samplers of a composition: the reverse process, annealed MCMC (paper, Algorithm 1), both, or weighted particles.

Each sampler is one function (expression, schedule, start, options, generator) -> SampleResult; `draw` calls the one
that the options name.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.algebra.composition import Expression
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import NoiseSchedule, noise_from_score, reverse_step
from compose_diffusion.mcmc.kernels import ChainState, StepInfo
from compose_diffusion.mcmc.level_steps import Start, check_mcmc, run_steps, runs_mcmc, start_samples
from compose_diffusion.mcmc.preconditioning import Preconditioning, check_preconditioning, preconditioner_at
from compose_diffusion.mcmc.step_sizes import step_size_rule
from compose_diffusion.samplers.compile_choice import compiled_once, worth_compiling
from compose_diffusion.samplers.feynman_kac import (
    Population,
    corrector_steps,
    effective_sample_size,
    product_factors,
    systematic_ancestors,
    weighted_scores,
)
from compose_diffusion.samplers.last_step import anneal_to_clean, has_clean_target, mean_denoised
from compose_diffusion.samplers.validity import check_proper, check_run, diverged, divergence

# Called after each level with the level and how many of all levels are done.
Progress = Callable[[int, int, int], None]


@dataclass(eq=False)
class SampleResult:
    """Samples, and statistics of the run.

    Attributes:
        x: [batch, *event], samples, all of equal weight.
        acceptance: [levels], mean acceptance probability of the MCMC steps at each level, NaN where none ran.
        gradient_evaluations: evaluations of the composition per sample; each evaluates every leaf once.
        non_finite: number of non-finite proposals, which were rejected, and of corrector particles whose weight was set
            to 0 for that reason.
        trajectory: [levels + 1, batch, *event], the start and the samples after each level; None unless
            `keep_trajectory`.
        population: of the Feynman-Kac corrector: the weighted particles that x was resampled from, effective sample
            sizes and resamplings; None for other methods.
    """

    x: Float[Tensor, "batch *event"]
    acceptance: Float[Tensor, " levels"]
    gradient_evaluations: int
    non_finite: int
    trajectory: Float[Tensor, "visits batch *event"] | None = None
    population: Population | None = None


@dataclass(eq=False)
class _Record:
    """Statistics of a run. Acceptance and non-finite proposals stay tensors until the end."""

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

    def mcmc_steps(self, t: int, infos: list[StepInfo]) -> None:
        """Record the steps of a level, and the evaluation at the start of its chains."""
        self.acceptance[t] = [info.acceptance for info in infos]
        self.non_finite += [info.non_finite for info in infos]
        self.gradient_evaluations += 1 + sum(info.gradient_evaluations for info in infos)

    def level_done(self, t: int, x: Tensor) -> None:
        self.visit(x)
        if self.progress is not None:
            self.progress(t, self.num_levels - t, self.num_levels)

    def result(self, x: Tensor, population: Population | None = None) -> SampleResult:
        acceptance = torch.full((self.num_levels,), torch.nan, dtype=torch.float64)
        for t, values in self.acceptance.items():
            acceptance[t] = float(torch.stack(values).mean())
        non_finite = int(torch.stack(self.non_finite).sum()) if self.non_finite else 0
        trajectory = torch.stack(self.visits) if self.visits else None
        return SampleResult(x, acceptance, self.gradient_evaluations, non_finite, trajectory, population)


def reverse_diffusion(
    expression: Expression,
    schedule: NoiseSchedule,
    start: Start,
    options: SamplerOptions,
    generator: torch.Generator,
    *,
    preconditioning: Preconditioning | None = None,
    keep_trajectory: bool = False,
    progress: Progress | None = None,
) -> SampleResult:
    """Ancestral steps with the composed noise prediction; does not sample the product distribution (paper, why the
    reverse process fails)."""
    if preconditioning is not None:
        raise UsageError("method 'reverse' was given a preconditioner, expected none: there are no MCMC steps")
    x, rounded = start_samples(expression, schedule, start, generator)
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
    preconditioning: Preconditioning | None = None,
    keep_trajectory: bool = False,
    progress: Progress | None = None,
) -> SampleResult:
    """MCMC at every level from high to low noise, each level starting from the samples of the one above (paper,
    Algorithm 1)."""
    x, _ = start_samples(expression, schedule, start, generator)
    level_steps = _LevelSteps(expression, schedule, options, preconditioning)
    record = _Record(len(schedule), keep_trajectory, progress)
    record.visit(x)
    for t in reversed(range(len(schedule))):
        if runs_mcmc(t, options):
            x = level_steps.run_level(t, x, generator, record).x
        record.level_done(t, x)
    return record.result(x)


def reverse_mcmc(
    expression: Expression,
    schedule: NoiseSchedule,
    start: Start,
    options: SamplerOptions,
    generator: torch.Generator,
    *,
    preconditioning: Preconditioning | None = None,
    keep_trajectory: bool = False,
    progress: Progress | None = None,
) -> SampleResult:
    """An ancestral step from level t to t - 1, then MCMC at t - 1; from level 0 to clean data as `last_step` says.

    Exact compositions that have had MCMC at level 0 are annealed to clean data by HMC, whatever the kernel. Others are
    denoised once.
    """
    x, rounded = start_samples(expression, schedule, start, generator)
    level_steps = _LevelSteps(expression, schedule, options, preconditioning)
    record = _Record(len(schedule), keep_trajectory, progress)
    record.visit(x)
    state = None
    for t in reversed(range(len(schedule))):
        if state is None:
            noise = expression.evaluate(x, t, energy=False).predicted_noise(t, rounded)
            record.gradient_evaluations += 1
        else:  # the last MCMC step has computed the score of x
            noise = noise_from_score(state.score, t, rounded)
        if t == 0:
            x = _last_step(expression, schedule, noise, x, options, generator, record)
            record.level_done(t, x)
            break
        x = _reverse(x, noise, t, rounded, options, generator)
        state = None
        if runs_mcmc(t - 1, options):
            state = level_steps.run_level(t - 1, x, generator, record)
            x = state.x
        record.level_done(t, x)
    return record.result(x)


def official_reverse_mcmc(
    expression: Expression,
    schedule: NoiseSchedule,
    start: Start,
    options: SamplerOptions,
    generator: torch.Generator,
    *,
    preconditioning: Preconditioning | None = None,
    keep_trajectory: bool = False,
    progress: Progress | None = None,
) -> SampleResult:
    """As `reverse_mcmc`, with the last step of the official image sampler: a reverse step by the summed prediction.

    No MCMC follows it, so samples of a product are too narrow by an amount that depends on the lowest noise, see
    `last_step`.
    """
    x, rounded = start_samples(expression, schedule, start, generator)
    level_steps = _LevelSteps(expression, schedule, options, preconditioning)
    record = _Record(len(schedule), keep_trajectory, progress)
    record.visit(x)
    state = None
    for t in reversed(range(len(schedule))):
        if state is None:
            noise = expression.evaluate(x, t, energy=False).predicted_noise(t, rounded)
            record.gradient_evaluations += 1
        else:  # the last MCMC step has computed the score of x
            noise = noise_from_score(state.score, t, rounded)
        x = _reverse(x, noise, t, rounded, options, generator)
        state = None
        if t > 0 and runs_mcmc(t - 1, options):
            state = level_steps.run_level(t - 1, x, generator, record)
            x = state.x
        record.level_done(t, x)
    return record.result(x)


def feynman_kac_corrector(
    expression: Expression,
    schedule: NoiseSchedule,
    start: Start,
    options: SamplerOptions,
    generator: torch.Generator,
    *,
    preconditioning: Preconditioning | None = None,
    keep_trajectory: bool = False,
    progress: Progress | None = None,
) -> SampleResult:
    """Steps of the Feynman-Kac corrector with importance weights, for products of densities; see `feynman_kac`.

    Particles are resampled where the effective sample size falls below `ess_threshold` of their number, followed by
    MCMC steps if the options ask for them. The weights are those of level 0; the last step only removes the noise, with
    an error of order sigma_0^2. x is resampled from `population`, whose weighted averages have less variance.

    Args:
        start: from N(0, I), as for every method; scaled to N(0, I / B), the product at the highest level.
    """
    x, _ = start_samples(expression, schedule, start, generator)
    factors = product_factors(expression, schedule)
    level_steps = _LevelSteps(expression, schedule, options, preconditioning)
    total = sum(factors.values())
    steps = corrector_steps(schedule, total)
    record = _Record(len(schedule), keep_trajectory, progress)
    x = x / total**0.5
    record.visit(x)
    log_weights = torch.zeros(len(x), dtype=torch.promote_types(x.dtype, torch.float32), device=x.device)
    ess = torch.full((len(schedule),), float(len(x)), dtype=torch.float64)
    num_resamplings = 0
    scores = weighted_scores(factors, x, len(schedule) - 1)
    record.gradient_evaluations += 1
    for t in reversed(range(1, len(schedule))):
        rate = scores.rate
        mean = steps.current[t].to(x.dtype) * x + steps.clean[t].to(x.dtype) * scores.clean(x, t, schedule)
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        x = mean + steps.variance[t].sqrt().to(x.dtype) * noise
        scores = weighted_scores(factors, x, t - 1)
        record.gradient_evaluations += 1
        # Trapezoid rule, because the rate grows fast towards the data.
        increment = 0.5 * steps.clock[t].to(log_weights.dtype) * (rate + scores.rate)
        lost = ~increment.isfinite() & log_weights.isfinite()
        record.non_finite.append(lost.sum().to(log_weights.dtype))
        log_weights = torch.where(increment.isfinite(), log_weights + increment, -torch.inf)
        ess[t - 1] = effective_sample_size(log_weights)
        resample = not ess[t - 1] >= options.ess_threshold * len(x)
        if resample:
            ancestors = systematic_ancestors(log_weights, generator)
            x = x[ancestors]
            log_weights = torch.full_like(log_weights, float(log_weights.logsumexp(dim=0) - math.log(len(x))))
            num_resamplings += 1
            level_steps.momentum = None if level_steps.momentum is None else level_steps.momentum[ancestors]
            scores = scores.of(ancestors)
        if runs_mcmc(t - 1, options):
            x = level_steps.run_level(t - 1, x, generator, record).x
            scores = weighted_scores(factors, x, t - 1)
            record.gradient_evaluations += 1
        record.level_done(t, x)
    x = scores.clean(x, 0, schedule).to(x.dtype)
    population = Population(x, log_weights, ess, num_resamplings)
    record.level_done(0, x)
    return record.result(population.resampled(generator), population)


OFFICIAL_SAMPLERS = {
    "reverse": reverse_diffusion,
    "annealed": annealed_mcmc,
    "reverse-mcmc": official_reverse_mcmc,
    "fkc": feynman_kac_corrector,
}
SAMPLERS = {**OFFICIAL_SAMPLERS, "reverse-mcmc": reverse_mcmc}


def draw(
    expression: Expression,
    schedule: NoiseSchedule,
    start: Start,
    options: SamplerOptions,
    generator: torch.Generator,
    *,
    preconditioning: Preconditioning | None = None,
    keep_trajectory: bool = False,
    progress: Progress | None = None,
    compile: bool | None = None,
) -> SampleResult:
    """Sample by the method that `options` name.

    "reverse-mcmc", and "fkc" with MCMC steps, end at clean data, as `last_step` says: exact compositions in samples of
    the composition of clean densities. "annealed" ends at level 0 as Algorithm 1 of the paper does, with the noise of
    that level, and "reverse" with a noise-free reverse step by the summed prediction.

    Args:
        expression: the composition.
        schedule: noise levels, those its leaves were made for.
        start: samples at the highest level, [batch, *event], whose dtype and device the run takes; or a shape, drawn
            from N(0, I) in float32.
        options: method, kernel, step sizes.
        generator: all randomness, on start's device.
        preconditioning: coordinates of the MCMC steps, one preconditioner for all levels or one for each; step sizes
            refer to those coordinates.
        keep_trajectory: also return the samples after each level.
        progress: called as progress(t, levels_done, num_levels) after each level.
        compile: whether MCMC steps of exact compositions are compiled (see `compilation`): samples are equal up to
            rounding. By default where the run would take longer than the compilation.

    Raises:
        UsageError: leaves with other noise levels, a Metropolis kernel without energies, MCMC levels outside the
            schedule, the wrong number of preconditioners; with method "fkc", anything but a product of densities. A
            product of exact densities whose precision is negative at some level. Samples that are not finite or as
            large as no data, with the level.
    """
    check_run(start, options)
    check_proper(expression, schedule)
    if compile or (compile is None and worth_compiling(expression, start, schedule, options)):
        expression = compiled_once(expression)
    state = generator.get_state()
    sampler = SAMPLERS[options.method]
    result = sampler(
        expression,
        schedule,
        start,
        options,
        generator,
        preconditioning=preconditioning,
        keep_trajectory=keep_trajectory,
        progress=progress,
    )
    if options.method == "fkc" and runs_mcmc(0, options) and has_clean_target(expression, result.x):
        result = _with_clean_samples(result, expression, schedule, generator)
    if diverged(result.x):
        generator.set_state(state)
        visits = sampler(
            expression, schedule, start, options, generator, preconditioning=preconditioning, keep_trajectory=True
        ).trajectory
        assert visits is not None
        raise UsageError(divergence(visits))
    return result


def draw_official(
    expression: Expression,
    schedule: NoiseSchedule,
    start: Start,
    options: SamplerOptions,
    generator: torch.Generator,
    *,
    preconditioning: Preconditioning | None = None,
    keep_trajectory: bool = False,
    progress: Progress | None = None,
) -> SampleResult:
    """`draw` with the last step of the official code in every method, and without its checks and compilation.

    For what the official code does, and where only samples before the last step count.
    """
    return OFFICIAL_SAMPLERS[options.method](
        expression,
        schedule,
        start,
        options,
        generator,
        preconditioning=preconditioning,
        keep_trajectory=keep_trajectory,
        progress=progress,
    )


class _LevelSteps:
    """The MCMC steps of one run; keeps the momentum between levels unless it is sampled at each level."""

    def __init__(
        self,
        expression: Expression,
        schedule: NoiseSchedule,
        options: SamplerOptions,
        preconditioning: Preconditioning | None,
    ) -> None:
        check_mcmc(expression, schedule, options)
        check_preconditioning(preconditioning, len(schedule))
        self.expression = expression
        self.schedule = schedule
        self.options = options
        self.preconditioning = preconditioning
        self.momentum: Tensor | None = None

    def run_level(self, t: int, x: Tensor, generator: torch.Generator, record: _Record) -> ChainState:
        """`steps_per_level` MCMC steps at level t."""
        step_size = step_size_rule(self.options)(t, self.schedule)
        momentum = None if self.options.momentum == "per-level" else self.momentum
        preconditioner = preconditioner_at(self.preconditioning, t)
        target = self.expression.target(t)
        state, infos = run_steps(target, x, momentum, self.options, step_size, preconditioner, generator)
        self.momentum = state.momentum
        record.mcmc_steps(t, infos)
        return state


def _reverse(
    x: Tensor, noise: Tensor, t: int, schedule: NoiseSchedule, options: SamplerOptions, generator: torch.Generator
) -> Tensor:
    return reverse_step(x, noise, t, schedule, generator, variance=options.reverse_variance, clip_x0=options.clip_x0)


def _last_step(
    expression: Expression,
    schedule: NoiseSchedule,
    noise: Tensor,
    x: Tensor,
    options: SamplerOptions,
    generator: torch.Generator,
    record: _Record,
) -> Tensor:
    """Clean data from samples of level 0, with their noise prediction."""
    if runs_mcmc(0, options) and has_clean_target(expression, x):
        clean = anneal_to_clean(expression, schedule, x, generator)
        record.gradient_evaluations += clean.gradient_evaluations
        record.non_finite.append(torch.tensor(float(clean.non_finite), device=x.device))
        return clean.x
    rounded = schedule.to(torch.promote_types(x.dtype, torch.float32))
    return mean_denoised(expression, noise, x, rounded, options.clip_x0)


def _with_clean_samples(
    result: SampleResult, expression: Expression, schedule: NoiseSchedule, generator: torch.Generator
) -> SampleResult:
    """The resampled particles, moved by MCMC to clean data; the population itself stays as it is."""
    clean = anneal_to_clean(expression, schedule, result.x, generator)
    return replace(
        result,
        x=clean.x,
        gradient_evaluations=result.gradient_evaluations + clean.gradient_evaluations,
        non_finite=result.non_finite + clean.non_finite,
    )
