"""Source of the digits: `digits` for any digit, `digits[3]` for one."""

from pathlib import Path

import torch
from jaxtyping import Float
from onepaper.display.file_bytes import picture_png
from onepaper.errors import UsageError
from onepaper.runs import write_atomic
from torch import Tensor

from compose_diffusion.algebra.leaves import PredictionLeaf
from compose_diffusion.config.digits import NUM_DIGITS
from compose_diffusion.data.digits import IMAGE_SIZE
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.evaluation.digit_evaluator import default_evaluator
from compose_diffusion.models.digit_guidance import CLIP_X0, KERNEL_DEFAULTS, label_leaf
from compose_diffusion.models.digits import DigitModels
from compose_diffusion.sources.pictures import image_grid


class DigitsSource:
    """The denoiser of digits for each label.

    Args:
        weights: folder of a training run; by default the shipped weights.
        device: of the networks.
    """

    def __init__(self, weights: Path | None, device: torch.device) -> None:
        self.models = DigitModels.from_pretrained(weights, device)
        self.schedule = self.models.schedule
        self.event_shape: tuple[int, ...] = (1, IMAGE_SIZE, IMAGE_SIZE)
        self.dtype = torch.float32
        self.kernel_defaults = KERNEL_DEFAULTS
        self.clip_x0: float | None = CLIP_X0

    def leaf(self, condition: str | None, schedule: NoiseSchedule) -> PredictionLeaf:
        """The denoiser conditioned on a digit, 0 to 9, or unconditional."""
        return label_leaf(self.models, None if condition is None else _digit(condition), schedule)

    def write_picture(self, x: Float[Tensor, "batch 1 height width"], path: Path) -> None:
        """The images side by side."""
        write_atomic(path, picture_png(image_grid(x)))

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
