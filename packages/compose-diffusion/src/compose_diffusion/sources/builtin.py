"""Sources of this package: distributions of the plane, digits, and canvases of digits."""

import re
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from onepaper.config import check_choice
from onepaper.display.file_bytes import picture_png
from onepaper.errors import UsageError
from onepaper.runs import write_atomic
from torch import Tensor

from compose_diffusion.algebra.composition import Leaf
from compose_diffusion.algebra.leaves import ExactLeaf, PredictionLeaf
from compose_diffusion.config.digits import NUM_DIGITS
from compose_diffusion.config.positions import DIGIT_SIZE, FORMS
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.digits import IMAGE_SIZE
from compose_diffusion.data.distributions import make_distribution
from compose_diffusion.diffusion import NoiseSchedule, cosine_schedule
from compose_diffusion.evaluation.detector import default_detector
from compose_diffusion.evaluation.digit_evaluator import default_evaluator
from compose_diffusion.models import digit_guidance, position_guidance
from compose_diffusion.models.digits import DigitModels
from compose_diffusion.models.positions import PositionModels
from compose_diffusion.sources.pictures import image_grid, write_points
from compose_diffusion.sources.source import Source

NUM_LEVELS = 100
# Constant step sizes of the official toy notebook.
_LANGEVIN = SamplerOptions(kernel="ula", step_scale=1e-3)
_HAMILTONIAN = SamplerOptions(kernel="hmc", step_scale=0.03)

_POSITION = re.compile(r"\s*(\d+)\s*,\s*(\d+)\s*")


class ToySource(Source):
    """One distribution of the plane with exact noised densities: `ring & bar`.

    Args:
        name: a key of `DISTRIBUTIONS`.
        device: samples are float32 on Apple GPUs, which have no float64.
    """

    kernel_defaults = {  # noqa: RUF012 - annotated in the base class
        "ula": _LANGEVIN,
        "mala": replace(_LANGEVIN, kernel="mala"),
        "uhmc": replace(_HAMILTONIAN, kernel="uhmc"),
        "hmc": _HAMILTONIAN,
    }

    def __init__(self, name: str, device: torch.device) -> None:
        self.name = name
        self.distribution = make_distribution(name)
        self.schedule = cosine_schedule(NUM_LEVELS)
        self.event_shape = (self.distribution.dim,)
        self.dtype = torch.float32 if device.type == "mps" else torch.float64

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


class _InkSource(Source):
    """Grey images with dark ink on white."""

    def write_picture(self, x: Float[Tensor, "batch 1 height width"], path: Path) -> None:
        """The images side by side."""
        write_atomic(path, picture_png(image_grid(x)))


class DigitsSource(_InkSource):
    """The denoiser of digits: `digits` for any digit, `digits[3]` for one.

    Args:
        weights: folder of a training run; by default the shipped weights.
        device: of the networks.
    """

    kernel_defaults = digit_guidance.KERNEL_DEFAULTS
    clip_x0 = digit_guidance.CLIP_X0

    def __init__(self, weights: Path | None, device: torch.device) -> None:
        self.models = DigitModels.from_pretrained(weights, device)
        self.schedule = self.models.schedule
        self.event_shape = (1, IMAGE_SIZE, IMAGE_SIZE)

    def leaf(self, condition: str | None, schedule: NoiseSchedule) -> PredictionLeaf:
        """The denoiser conditioned on a digit, 0 to 9, or unconditional."""
        label = None if condition is None else _digit(condition)
        return digit_guidance.label_leaf(self.models, label, schedule)

    def attribute_accuracy(self, x: Float[Tensor, "batch 1 height width"], conditions: list[str]) -> dict[str, float]:
        """Fractions of images that the evaluator classifies as each of the digits.

        For several digits, also the fraction that shows any of them; without digits, the fractions of all ten.
        """
        seen = default_evaluator().predict(x.cpu())
        counts = torch.bincount(seen, minlength=NUM_DIGITS).double() / len(seen)
        digits = list(dict.fromkeys(_digit(condition) for condition in conditions))
        if not digits:
            return {f"shows {digit}": share for digit, share in enumerate(counts.tolist()) if share}
        found = {f"shows {digit}": float(counts[digit]) for digit in digits}
        if len(digits) > 1:
            found[f"shows {' or '.join(map(str, digits))}"] = float(counts[digits].sum())
        return found


def _digit(condition: str) -> int:
    if condition not in {str(digit) for digit in range(NUM_DIGITS)}:
        raise UsageError(
            f"digits has no condition '{condition}', expected a digit from 0 to {NUM_DIGITS - 1}, e.g. digits[3]"
        )
    return int(condition)


class PositionsSource(_InkSource):
    """Canvases with a digit at a position, `positions[3,12]`, or unconditional.

    Args:
        weights: folder of a training run; by default the shipped weights.
        device: of the networks.
        form: "score" (fast) or "energy" (for MALA, HMC and mixtures).

    Raises:
        UsageError: no such folder, or no such networks in it.
    """

    kernel_defaults = position_guidance.KERNEL_DEFAULTS
    clip_x0 = position_guidance.CLIP_X0

    def __init__(self, weights: Path | None = None, device: torch.device | str = "cpu", form: str = "score") -> None:
        check_choice("form", form, FORMS)
        self.models = PositionModels.from_pretrained(weights, device)
        self.form = form
        size = self.models.score.config.canvas_size
        self.schedule = self.models.schedule
        self.event_shape = (1, size, size)

    def leaf(self, condition: str | None, schedule: NoiseSchedule) -> Leaf:
        """The network conditioned on "x,y", column and row of a digit's top left pixel, or unconditional.

        Raises:
            UsageError: another condition, or a position where a digit would leave the canvas.
        """
        position = None if condition is None else self._position(condition)
        return position_guidance.position_leaf(self.models, position, self.form, schedule)

    def _position(self, condition: str) -> tuple[int, int]:
        last = self.event_shape[-1] - DIGIT_SIZE
        found = _POSITION.fullmatch(condition)
        if found is None:
            raise UsageError(
                f"position is '{condition}', expected x,y: column and row of a digit's top left pixel, 0 to {last} "
                "each, e.g. 3,12"
            )
        return int(found[1]), int(found[2])

    def attribute_accuracy(self, x: Float[Tensor, "batch 1 height width"], conditions: list[str]) -> dict[str, float]:
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
