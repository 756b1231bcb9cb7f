"""Step sizes of MCMC at each noise level.

Curvature grows as 1 / sigma_t^2 towards the data, so a constant step is too small at high noise and too large near
level 0. Langevin steps are squared lengths and scale as sigma_t^2; leapfrog steps are lengths and scale as sigma_t.
"""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from onepaper.config import check_non_negative, check_positive
from onepaper.errors import UsageError

from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import NoiseSchedule


@runtime_checkable
class StepSize(Protocol):
    """A rule for the step size at each level."""

    def __call__(self, t: int, schedule: NoiseSchedule) -> float:
        """Step size at level t, above 0."""
        ...


@dataclass(frozen=True)
class ConstantStep:
    """h_t = size at every level (official toy notebook)."""

    size: float

    def __post_init__(self) -> None:
        check_positive("step size", self.size)

    def __call__(self, t: int, schedule: NoiseSchedule) -> float:
        """Step size at level t."""
        return self.size


@dataclass(frozen=True)
class BetaPowerStep:
    """h_t = scale * beta_t ** power (power 1 in the official image sampler)."""

    scale: float
    power: float = 1.0

    def __post_init__(self) -> None:
        check_positive("step scale", self.scale)
        check_non_negative("step power", self.power)

    def __call__(self, t: int, schedule: NoiseSchedule) -> float:
        """Step size at level t."""
        return self.scale * float(schedule.betas[t]) ** self.power


@dataclass(frozen=True)
class SigmaPowerStep:
    """h_t = scale * sigma_t ** power, which scales with the curvature for power 2 (ULA, MALA) or 1 (U-HMC, HMC)."""

    scale: float
    power: float = 2.0

    def __post_init__(self) -> None:
        check_positive("step scale", self.scale)
        check_non_negative("step power", self.power)

    def __call__(self, t: int, schedule: NoiseSchedule) -> float:
        """Step size at level t."""
        return self.scale * math.sqrt(1 - float(schedule.alphas_cumprod[t])) ** self.power


@dataclass(frozen=True)
class TableStep:
    """One step size for each level, from level 0 up; the result of an adaptation."""

    sizes: tuple[float, ...]

    def __post_init__(self) -> None:
        for level, size in enumerate(self.sizes):
            check_positive(f"step size of level {level}", size)

    def __call__(self, t: int, schedule: NoiseSchedule) -> float:
        """Step size at level t."""
        if len(self.sizes) != len(schedule):
            raise UsageError(
                f"step table has {len(self.sizes)} entries for a schedule of {len(schedule)} levels, expected one for "
                "each level; run the warm-up on this schedule"
            )
        return self.sizes[t]


def step_size_rule(options: SamplerOptions) -> StepSize:
    """The step size rule of `options`."""
    if options.step_law == "constant":
        return ConstantStep(options.step_scale)
    if options.step_law == "beta-power":
        return BetaPowerStep(options.step_scale, options.step_power)
    if options.step_law == "sigma-power":
        return SigmaPowerStep(options.step_scale, options.step_power)
    return TableStep(options.step_table)
