"""Networks of canvases as leaves and guided expressions, with default samplers for each kernel."""

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

# Pixels are in [-1, 1]; reverse steps clip the clean estimate to this range.
CLIP_X0 = 1.0


def position_leaf(
    models: PositionModels, position: Position | None, form: str = "score", schedule: NoiseSchedule | None = None
) -> PredictionLeaf | EnergyLeaf:
    """One of the networks, conditioned on the position of a digit, or unconditional for None.

    Args:
        models: both networks.
        position: (x, y) of the digit's top left pixel.
        form: which network, "score" or "energy".
        schedule: the sampler's levels; those of the networks if absent. Other levels, e.g.
            `models.schedule.respace(50)`, are matched by signal-to-noise ratio.

    Raises:
        UsageError: no such form, or a digit there would leave the canvas.
    """
    check_choice("form", form, FORMS)
    top_left = torch.as_tensor((NO_POSITION, NO_POSITION) if position is None else position, dtype=torch.long)
    top_left = top_left.reshape(-1, 2)
    last = models.score.config.canvas_size - DIGIT_SIZE
    if position is not None and not bool(((top_left >= 0) & (top_left <= last)).all()):
        wrong = top_left[((top_left < 0) | (top_left > last)).any(dim=1)][0].tolist()
        raise UsageError(f"position is {tuple(wrong)}, expected x and y from 0 to {last}: a digit is {DIGIT_SIZE} wide")
    timesteps = None if schedule is None else models.schedule.nearest_levels(schedule)
    schedule = models.schedule if schedule is None else schedule
    if form == "energy":
        return EnergyLeaf(models.energy, schedule, condition=top_left, timesteps=timesteps)
    return PredictionLeaf(models.score, schedule, condition=top_left, timesteps=timesteps)


def digits_at(
    models: PositionModels,
    positions: Sequence[Position],
    *,
    weight: float,
    form: str = "score",
    schedule: NoiseSchedule | None = None,
) -> Expression:
    r"""$L_\emptyset + w \sum_i (L_i - L_\emptyset)$: guidance to a digit at every position.

    Without positions, the unconditional model; other arguments as of `position_leaf`.
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
    """The denoiser of single digits, class-conditional or unconditional, as a model of one window of a canvas.

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
    requested: Mapping[tuple[int, int], Label],
    schedule: NoiseSchedule,
    *,
    weight: float,
    class_weight: float,
) -> Expression:
    r"""$L_\emptyset + \sum_i [w (L_i - L_\emptyset) + v (K_i - K_\emptyset)]$: position by one network, class by
    another.

    L is the score network of canvases, K the denoiser of single digits in the window at position i (`digit_at`). They
    were trained separately, on images of different sizes, and are not fine-tuned.

    Args:
        positions: the networks of canvases.
        digits: the networks of single digits.
        requested: position -> class.
        schedule: the sampler's levels.
        weight: w.
        class_weight: v.
    """
    unconditional = position_leaf(positions, None, schedule=schedule)
    size = positions.score.config.canvas_size
    terms: list[Expression] = [unconditional]
    weights = [1.0 - weight * len(requested)]
    for top_left, label in requested.items():
        terms += [
            position_leaf(positions, top_left, schedule=schedule),
            digit_at(digits, label, top_left, size, schedule),
            digit_at(digits, None, top_left, size, schedule),
        ]
        weights += [weight, class_weight, -class_weight]
    return WeightedProduct(terms, weights)


# Defaults of each kernel. Step sizes scale with the curvature, about 1 / sigma_t^2; momentum is sampled at each level,
# because reverse steps come in between.
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
