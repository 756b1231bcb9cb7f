"""What is asked of a canvas, as expressions, and the moves that suit these networks."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from onepaper.config import check_choice
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.algebra.composition import Expression, WeightedProduct, guidance
from compose_diffusion.algebra.leaves import EnergyLeaf, PredictionLeaf
from compose_diffusion.algebra.tapestry import Crop, Region
from compose_diffusion.config.positions import DIGIT_SIZE, FORMS, NO_POSITION
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.models.digit_guidance import Label
from compose_diffusion.models.digits import DigitModels
from compose_diffusion.models.positions import PositionModels

# One position (x, y) for all canvases, or one for each.
Position = tuple[int, int] | Int[Tensor, "batch 2"]

# Pixels lie in [-1, 1]; reverse steps keep their estimate of the clean canvas there.
CLIP_X0 = 1.0


def position_leaf(
    models: PositionModels, position: Position | None, form: str = "score", schedule: NoiseSchedule | None = None
) -> PredictionLeaf | EnergyLeaf:
    """One of the networks given the place of a digit; given None, unconditional.

    Args:
        models: both networks.
        position: (x, y) of the digit's top left pixel.
        form: which network, "score" or "energy".
        schedule: the sampler's levels; those of the networks if absent. Others, e.g. `models.schedule.respace(50)`, are
            matched by signal-to-noise ratio.

    Raises:
        UsageError: no such form, or a digit there would leave the canvas.
    """
    check_choice("form", form, FORMS)
    place = torch.as_tensor((NO_POSITION, NO_POSITION) if position is None else position, dtype=torch.long)
    place = place.reshape(-1, 2)
    last = models.score.config.canvas_size - DIGIT_SIZE
    if position is not None and not bool(((place >= 0) & (place <= last)).all()):
        wrong = place[((place < 0) | (place > last)).any(dim=1)][0].tolist()
        raise UsageError(f"position is {tuple(wrong)}, expected x and y from 0 to {last}: a digit is {DIGIT_SIZE} wide")
    timesteps = None if schedule is None else models.schedule.nearest_levels(schedule)
    schedule = models.schedule if schedule is None else schedule
    if form == "energy":
        return EnergyLeaf(models.energy, schedule, condition=place, timesteps=timesteps)
    return PredictionLeaf(models.score, schedule, condition=place, timesteps=timesteps)


def digits_at(
    models: PositionModels,
    positions: Sequence[Position],
    *,
    weight: float,
    form: str = "score",
    schedule: NoiseSchedule | None = None,
) -> Expression:
    r"""$L_\emptyset + w \sum_i (L_i - L_\emptyset)$: a digit at every position (section 3.3).

    Without any position, the unconditional model; other arguments as of `position_leaf`.
    """
    unconditional = position_leaf(models, None, form, schedule)
    leaves = [position_leaf(models, position, form, schedule) for position in positions]
    return guidance(unconditional, leaves, [weight] * len(leaves)) if leaves else unconditional


def digit_at(
    models: DigitModels,
    label: Label | None,
    position: tuple[int, int],
    canvas_size: int,
    schedule: NoiseSchedule,
) -> Crop:
    """The denoiser of single digits, given a class or nothing, as a model of one place on a canvas.

    Args:
        models: the networks of single digits.
        label: the class, one for all canvases or one for each.
        position: (x, y) of the digit's top left pixel.
        canvas_size: height and width of the canvas.
        schedule: the sampler's levels.
    """
    label = models.denoiser.null_label if label is None else label
    leaf = PredictionLeaf(
        models.denoiser,
        schedule,
        condition=torch.as_tensor(label, dtype=torch.long).reshape(-1),
        timesteps=models.schedule.nearest_levels(schedule),
    )
    return Crop(Region(leaf, *position), (canvas_size, canvas_size), (DIGIT_SIZE, DIGIT_SIZE))


def digits_of_class_at(
    positions: PositionModels,
    digits: DigitModels,
    asked: Mapping[tuple[int, int], Label],
    schedule: NoiseSchedule,
    *,
    weight: float,
    class_weight: float,
) -> Expression:
    r"""$L_\emptyset + \sum_i [w (L_i - L_\emptyset) + v (K_i - K_\emptyset)]$: where by one network, what by another.

    L is the score network of canvases, K the denoiser of single digits at the place of position i (`digit_at`). The two
    were trained apart, on images of different sizes, and neither is changed.

    Args:
        positions: the networks of canvases.
        digits: the networks of single digits.
        asked: position -> class.
        schedule: the sampler's levels.
        weight: w.
        class_weight: v.
    """
    unconditional = position_leaf(positions, None, schedule=schedule)
    size = positions.score.config.canvas_size
    terms: list[Expression] = [unconditional]
    weights = [1.0 - weight * len(asked)]
    for place, label in asked.items():
        terms += [
            position_leaf(positions, place, schedule=schedule),
            digit_at(digits, label, place, size, schedule),
            digit_at(digits, None, place, size, schedule),
        ]
        weights += [weight, class_weight, -class_weight]
    return WeightedProduct(terms, weights)


# Moves that suit these canvases. Steps follow the curvature, about 1 / sigma_t^2; the momentum is drawn anew at each
# level, because reverse steps in between move the samples away from where it was heading.
KERNEL_DEFAULTS: Mapping[str, SamplerOptions] = {
    "ula": SamplerOptions(kernel="ula", steps_per_level=2, step_law="sigma-power", step_scale=0.05, step_power=2.0),
    "mala": SamplerOptions(kernel="mala", steps_per_level=2, step_law="sigma-power", step_scale=0.08, step_power=2.0),
    "uhmc": SamplerOptions(
        kernel="uhmc", steps_per_level=2, step_law="sigma-power", step_scale=0.35, momentum="per-level"
    ),
    "hmc": SamplerOptions(
        kernel="hmc", steps_per_level=2, step_law="sigma-power", step_scale=0.35, momentum="per-level"
    ),
}
