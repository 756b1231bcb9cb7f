"""What a source of models is: the leaf of `NAME[CONDITION]` in an expression, and how its samples are shown."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from onepaper.display.file_bytes import picture_png
from onepaper.runs import write_atomic
from torch import Tensor

from compose_diffusion.algebra.composition import Leaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.sources.pictures import tiles


class Source(ABC):
    """Models of one kind of data, on one schedule.

    Attributes:
        schedule: the noise levels of its models.
        event_shape: of one sample, without the batch axis.
        kernel_defaults: kernel ("ula", "mala", "uhmc", "hmc") -> default step sizes and numbers of steps.
        dtype: of samples.
        clip_x0: bound on the clean estimate of reverse steps, None for no bound.
    """

    schedule: NoiseSchedule
    event_shape: tuple[int, ...]
    kernel_defaults: Mapping[str, SamplerOptions]
    dtype: torch.dtype = torch.float32
    clip_x0: float | None = None

    @abstractmethod
    def leaf(self, condition: str | None, schedule: NoiseSchedule) -> Leaf:
        """The model given a condition (the text between the brackets; None without brackets), on `schedule`.

        Raises:
            UsageError: a condition that is not valid for these models.
        """

    def write_picture(self, x: Float[Tensor, "batch *event"], path: Path) -> None:
        """Write a picture of the samples as a PNG: images in a square grid."""
        write_atomic(path, picture_png(tiles(x, math.ceil(math.sqrt(len(x))))))

    def attribute_accuracy(self, x: Float[Tensor, "batch *event"], conditions: list[str]) -> dict[str, float]:
        """Fractions of samples with requested attributes, by name, as found by an independent evaluator; empty without
        one.

        Args:
            x: the samples.
            conditions: to evaluate; the wanted ones, or in another call the unwanted ones.
        """
        return {}
