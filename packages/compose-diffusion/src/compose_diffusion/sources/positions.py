"""Source of canvases: the condition "x,y" is the top left pixel of a digit."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from onepaper.config import check_choice
from onepaper.display.file_bytes import picture_png
from onepaper.errors import UsageError
from onepaper.runs import write_atomic
from torch import Tensor

from compose_diffusion.algebra.composition import Leaf
from compose_diffusion.config.positions import DIGIT_SIZE, FORMS
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.evaluation.detector import default_detector
from compose_diffusion.models.position_guidance import CLIP_X0, KERNEL_DEFAULTS, position_leaf
from compose_diffusion.models.positions import PositionModels
from compose_diffusion.sources.pictures import image_grid

_CONDITION = re.compile(r"\s*(\d+)\s*,\s*(\d+)\s*")


class PositionsSource:
    """Canvases with a digit at a position, or unconditional; see `sources.registry.Source`.

    Args:
        models: by default, the shipped networks.
        form: "score" (fast) or "energy" (for MALA, HMC and mixtures).
    """

    def __init__(self, models: PositionModels | None = None, form: str = "score") -> None:
        self.models = PositionModels.from_pretrained() if models is None else models
        check_choice("form", form, FORMS)
        self.form = form
        size = self.models.score.config.canvas_size
        self.schedule: NoiseSchedule = self.models.schedule
        self.event_shape: tuple[int, ...] = (1, size, size)
        self.dtype: torch.dtype = torch.float32
        self.kernel_defaults: Mapping[str, SamplerOptions] = KERNEL_DEFAULTS
        self.clip_x0: float | None = CLIP_X0

    def leaf(self, condition: str | None, schedule: NoiseSchedule) -> Leaf:
        """The network conditioned on "x,y", column and row of a digit's top left pixel, or unconditional.

        Raises:
            UsageError: another condition, or a position where a digit would leave the canvas.
        """
        position = None if condition is None else self._position(condition)
        return position_leaf(self.models, position, self.form, schedule)

    def _position(self, condition: str) -> tuple[int, int]:
        last = self.event_shape[-1] - DIGIT_SIZE
        found = _CONDITION.fullmatch(condition)
        if found is None:
            raise UsageError(
                f"position is '{condition}', expected x,y: column and row of a digit's top left pixel, 0 to {last} "
                "each, e.g. 3,12"
            )
        return int(found[1]), int(found[2])

    def write_picture(self, x: Float[Tensor, "batch *event"], path: Path) -> None:
        """Canvases side by side, dark ink on white."""
        write_atomic(path, picture_png(image_grid(x)))

    def attribute_accuracy(self, x: Float[Tensor, "batch *event"], conditions: list[str]) -> dict[str, float]:
        """Fractions of canvases with a digit at every requested position, and at each of them."""
        if not conditions:
            return {}
        detector = default_detector()
        requested = torch.tensor([self._position(condition) for condition in conditions])
        found = detector.found_at(detector.scores(x), requested.expand(len(x), -1, 2))
        each = {
            f"digit at {condition}": float(share)
            for condition, share in zip(conditions, found.double().mean(dim=0), strict=True)
        }
        return {"digit at every position": float(found.all(dim=1).double().mean()), **each}


def open_positions(weights: Path | None = None, device: torch.device | str = "cpu") -> PositionsSource:
    """The source of a training run's folder, or of the shipped networks.

    Raises:
        UsageError: no such folder, or no such networks in it.
    """
    return PositionsSource(PositionModels.from_pretrained(weights, device))
