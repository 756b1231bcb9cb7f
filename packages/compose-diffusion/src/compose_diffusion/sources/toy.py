"""Source of the toy's distributions: `ring & bar`."""

from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.algebra.leaves import ExactLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.distributions import make_distribution
from compose_diffusion.diffusion import NoiseSchedule, cosine_schedule
from compose_diffusion.sources.pictures import write_points

NUM_LEVELS = 100
# Constant step sizes of the official toy notebook.
_LANGEVIN, _HAMILTONIAN = 1e-3, 0.03


class ToySource:
    """One distribution of the plane with exact noised densities.

    Args:
        name: a key of `DISTRIBUTIONS`.
        device: samples are float32 on Apple GPUs, which have no float64.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        self.name = name
        self.distribution = make_distribution(name)
        self.schedule = cosine_schedule(NUM_LEVELS)
        self.event_shape: tuple[int, ...] = (self.distribution.dim,)
        self.dtype = torch.float32 if device.type == "mps" else torch.float64
        self.clip_x0: float | None = None
        self.kernel_defaults: Mapping[str, SamplerOptions] = {
            "ula": SamplerOptions(kernel="ula", step_scale=_LANGEVIN),
            "mala": SamplerOptions(kernel="mala", step_scale=_LANGEVIN),
            "uhmc": SamplerOptions(kernel="uhmc", step_scale=_HAMILTONIAN),
            "hmc": SamplerOptions(kernel="hmc", step_scale=_HAMILTONIAN),
        }

    def leaf(self, condition: str | None, schedule: NoiseSchedule) -> ExactLeaf:
        """The distribution on the levels of `schedule`; there is no condition."""
        if condition is not None:
            raise UsageError(
                f"{self.name} was given the condition '{condition}', expected none: it is one fixed distribution; "
                "leave out the brackets"
            )
        return ExactLeaf(self.distribution, schedule)

    def write_picture(self, x: Float[Tensor, "batch 2"], path: Path) -> None:
        """The samples as points."""
        write_points(path, x)

    def attribute_accuracy(self, x: Float[Tensor, "batch 2"], conditions: list[str]) -> dict[str, float]:
        """Empty: targets are defined for the toy's tasks only."""
        return {}
