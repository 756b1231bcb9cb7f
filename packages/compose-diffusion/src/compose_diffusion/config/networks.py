"""Settings of every network: noise levels and training."""

from dataclasses import dataclass
from typing import Literal

from onepaper.config import check_choice, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions

SCHEDULES = ("cosine", "linear")


@dataclass(frozen=True)
class ScheduleConfig:
    """Noise levels; see `diffusion.cosine_schedule` and `diffusion.linear_schedule`."""

    kind: Literal["cosine", "linear"] = "cosine"
    num_levels: int = 100
    beta_start: float = 1e-4
    """of the linear schedule"""
    beta_end: float = 0.02
    """of the linear schedule"""

    def __post_init__(self) -> None:
        check_choice("schedule", self.kind, SCHEDULES)
        check_positive("num_levels", self.num_levels)
        if not 0 < self.beta_start <= self.beta_end < 1:
            raise UsageError(
                f"betas go from {self.beta_start} to {self.beta_end}, expected 0 < beta_start <= beta_end < 1"
            )


@dataclass(frozen=True)
class FitConfig:
    """How one network is trained."""

    steps: int = 3000
    """number of updates"""
    batch_size: int = 128
    optimizer: OptimizerOptions = OptimizerOptions()

    def __post_init__(self) -> None:
        check_positive("steps", self.steps)
        check_positive("batch_size", self.batch_size)
