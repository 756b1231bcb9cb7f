"""How large an MCMC step is at each noise level, and how to learn it from the acceptance rate.

Curvature grows as 1 / sigma_t^2 towards the data, so a constant step is too small at high noise and too large near
level 0 (section 12). Langevin steps are squared lengths, natural power 2 of sigma; leapfrog steps are lengths, power 1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from onepaper.config import check_between, check_non_negative, check_positive
from onepaper.errors import UsageError

from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import NoiseSchedule

# Acceptance rates of best efficiency in high dimension, where the warm-up aims by default.
TARGET_ACCEPTANCE = {"mala": 0.574, "hmc": 0.65}


@runtime_checkable
class StepSize(Protocol):
    """A law: the step size at a level."""

    def __call__(self, t: int, schedule: NoiseSchedule) -> float:
        """Step size at level t, above 0."""
        ...


@dataclass(frozen=True)
class ConstantStep:
    """h_t = size at every level (the official toy)."""

    size: float

    def __post_init__(self) -> None:
        check_positive("step size", self.size)

    def __call__(self, t: int, schedule: NoiseSchedule) -> float:
        """Step size at level t."""
        return self.size


@dataclass(frozen=True)
class BetaPowerStep:
    """h_t = scale * beta_t ** power (the official image sampler has power 1; section 3.6)."""

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
    """h_t = scale * sigma_t ** power, which follows the curvature: power 2 for ULA and MALA, 1 for U-HMC and HMC."""

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
    """One step size for each level, from level 0 up: what a warm-up found."""

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


def step_size_law(options: SamplerOptions) -> StepSize:
    """The law that `options` describe."""
    if options.step_law == "constant":
        return ConstantStep(options.step_scale)
    if options.step_law == "beta-power":
        return BetaPowerStep(options.step_scale, options.step_power)
    if options.step_law == "sigma-power":
        return SigmaPowerStep(options.step_scale, options.step_power)
    return TableStep(options.step_table)


def adapted_step(size: float, acceptance: float, target: float, rate: float = 0.02) -> float:
    """One correction, h (1 + rate (acceptance - target)): larger steps where too many proposals pass (section 3.6).

    Only for warm-up: a chain whose step depends on its own past no longer leaves the target invariant.
    """
    check_positive("step size", size)
    check_between("target acceptance", target, 0.0, 1.0)
    check_between("adaptation rate", rate, 0.0, 1.0)
    return size * (1 + rate * (acceptance - target))


def frozen_table(sizes: Sequence[float]) -> TableStep:
    """The adapted step sizes of levels 0 .. T - 1 as a law that no longer changes."""
    return TableStep(tuple(float(size) for size in sizes))
