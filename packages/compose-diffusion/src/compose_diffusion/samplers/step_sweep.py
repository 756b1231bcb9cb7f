r"""Comparison of step sizes at every noise level.

With a small step size nearly every proposal is accepted but chains move slowly; with a large one most proposals are
rejected. The criterion here is the expected squared jump distance, $E |x' - x|^2$, per evaluation of the composition,
in units of $\sigma_t^2$ and per coordinate, so that levels can be compared.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from onepaper.config import check_positive
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.algebra.composition import Expression
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.mcmc.level_steps import Start, run_steps, runs_mcmc
from compose_diffusion.mcmc.step_sizes import step_size_rule
from compose_diffusion.samplers.samplers import draw_official


@dataclass(frozen=True, eq=False)
class StepSweep:
    """Statistics of one step for each factor and level; NaN at levels without MCMC.

    Attributes:
        factors: multiples of the step sizes of the options.
        acceptance: mean acceptance probability.
        distance: mean squared jump distance over sigma_t^2, per coordinate and evaluation of the composition.
        non_finite: number of non-finite proposals over all levels.
    """

    factors: tuple[float, ...]
    acceptance: Float[Tensor, "factors levels"]
    distance: Float[Tensor, "factors levels"]
    non_finite: tuple[int, ...]

    @property
    def mean_distance(self) -> Float[Tensor, " factors"]:
        """Geometric mean of the distance over the levels with MCMC; 0 where nothing moved at one of them."""
        moved = self.distance[:, ~self.distance.isnan().any(dim=0)]
        return moved.log().mean(dim=1).exp()

    @property
    def best(self) -> float | None:
        """The factor with the largest `mean_distance`; None if with every factor nothing moved at some level.

        Meaningful for MALA and HMC only; without a Metropolis test the largest distance has the largest bias.
        """
        index = int(self.mean_distance.argmax())
        return self.factors[index] if float(self.mean_distance[index]) > 0 else None


def sweep_step_sizes(
    expression: Expression,
    schedule: NoiseSchedule,
    start: Start,
    options: SamplerOptions,
    factors: Sequence[float],
    generator: torch.Generator,
    *,
    progress: Callable[[int, int, int], None] | None = None,
) -> StepSweep:
    """Sample once with `options`, then take one step of each size from the samples of every level, with new momentum.

    Args:
        expression: the composition.
        schedule: noise levels.
        start: as of `draw`; a few hundred samples are enough.
        options: an MCMC method and kernel, whose step sizes are multiplied by the factors.
        factors: above 0.
        generator: all randomness.
        progress: as of `draw`, called for both passes.

    Raises:
        UsageError: options without MCMC steps, a factor that is not above 0, or as of `draw`.
    """
    if not factors:
        raise UsageError("factors are empty, expected at least one, e.g. 0.5 1 2")
    for factor in factors:
        check_positive("step factor", factor)
    levels = [t for t in reversed(range(len(schedule))) if runs_mcmc(t, options)]
    if options.method not in ("annealed", "reverse-mcmc") or not levels:
        raise UsageError(
            f"method '{options.method}' with {options.steps_per_level} MCMC steps a level has no step size to compare, "
            "expected 'annealed' or 'reverse-mcmc' with 1 or more"
        )
    drawn = draw_official(expression, schedule, start, options, generator, keep_trajectory=True, progress=progress)
    assert drawn.trajectory is not None
    # The trajectory has the start, then the levels from the top; with reverse steps, each entry is one level lower.
    offset = len(schedule) if options.method == "annealed" else len(schedule) - 1
    step_size_at, single = step_size_rule(options), replace(options, steps_per_level=1)
    acceptance = torch.full((len(factors), len(schedule)), torch.nan, dtype=torch.float64)
    distance, non_finite = acceptance.clone(), [0] * len(factors)
    for done, t in enumerate(levels, start=1):
        if options.method == "reverse-mcmc" and t == len(schedule) - 1:
            continue  # there are no MCMC steps at the top level
        x, variance = drawn.trajectory[offset - t], 1 - float(schedule.alphas_cumprod[t])
        for index, factor in enumerate(factors):
            step_size = factor * step_size_at(t, schedule)
            state, (info,) = run_steps(expression.target(t), x, None, single, step_size, None, generator)
            squares = (state.x - x).double().square().mean()
            acceptance[index, t] = float(info.acceptance)
            distance[index, t] = float(squares) / variance / info.gradient_evaluations
            non_finite[index] += int(info.non_finite)
        if progress is not None:
            progress(t, done, len(levels))
    return StepSweep(tuple(factors), acceptance, distance, tuple(non_finite))
