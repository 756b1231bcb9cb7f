"""Models of single digits put to use on larger canvases: an asked digit at an asked place, and tapestries.

What where (part of claim C12): one network knows where digits lie, another, trained apart on images of another size,
what they show. Tapestries (claim C11): every region of a canvas asks the same small network for a digit of its own, and
neighbouring regions overlap.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from compose_diffusion.algebra.leaves import PredictionLeaf
from compose_diffusion.algebra.tapestry import Tapestry, grid_of_regions, product_of_crops
from compose_diffusion.config.digits import NUM_DIGITS
from compose_diffusion.config.positions import DIGIT_SIZE, CanvasConfig, TapestryComparison, WhatWhereComparison
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.canvases import arrangements
from compose_diffusion.evaluation.detector import Detector, default_detector
from compose_diffusion.evaluation.digit_evaluator import Evaluator, default_evaluator
from compose_diffusion.models.digits import DigitModels
from compose_diffusion.models.position_guidance import CLIP_X0, digits_at, digits_of_class_at
from compose_diffusion.models.positions import PositionModels
from compose_diffusion.samplers.samplers import draw

WHAT_WHERE_ARMS = ("reverse", "ula", "places alone")
TAPESTRY_ARMS = ("average/reverse", "average/ula", "product/reverse", "product/ula")
TILE = (DIGIT_SIZE, DIGIT_SIZE)


@dataclass(frozen=True, eq=False)
class Mosaics:
    """What one sampler drew.

    Attributes:
        measured: name -> number.
        labels: [count, asked], digits asked for.
        images: [count, 1, height, width].
    """

    measured: dict[str, float]
    labels: Int[Tensor, "count asked"]
    images: Float[Tensor, "count 1 height width"]


def what_where(
    config: WhatWhereComparison,
    arm: str,
    seed: int,
    positions: PositionModels | None = None,
    digits: DigitModels | None = None,
    detector: Detector | None = None,
    evaluator: Evaluator | None = None,
) -> Mosaics:
    """Canvases on which digits of random classes are asked for at places that are the same for all canvases of a seed.

    Measured are `right digits`, the share of asked digits that the detector finds at their place and the evaluator
    names right, and `all right`, the share of canvases on which every asked digit is.

    Args:
        config: number of digits, weights, images.
        arm: "reverse" or "ula", both networks composed; "places alone", ULA with the network of places only.
        seed: of places, classes and initial noise, which all arms share, and of what the arm draws after.
        positions: by default, the networks that ship with the package.
        digits: by default, the networks that ship with the package.
        detector: by default, the one trained on the split that no network has seen.
        evaluator: by default, the one trained on the split that no network has seen.
    """
    positions = PositionModels.from_pretrained() if positions is None else positions
    digits = DigitModels.from_pretrained() if digits is None else digits
    detector = default_detector() if detector is None else detector
    evaluator = default_evaluator() if evaluator is None else evaluator
    size = positions.score.config.canvas_size
    rng = np.random.default_rng(seed)
    layout = arrangements(1, config.num_digits, CanvasConfig(size=size), rng)[0]
    places = [(int(x), int(y)) for x, y in layout]
    labels = torch.from_numpy(rng.integers(0, NUM_DIGITS, (config.num_images, config.num_digits)))
    schedule = positions.schedule.respace(config.num_levels)
    if arm == "places alone":
        expression = digits_at(positions, places, weight=config.weight, schedule=schedule)
    else:
        asked = dict(zip(places, labels.unbind(dim=1), strict=True))
        expression = digits_of_class_at(
            positions, digits, asked, schedule, weight=config.weight, class_weight=config.class_weight
        )
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(config.num_images, 1, size, size, generator=generator)
    x = draw(expression, schedule, start, _options(arm == "reverse", config.moves, config.step_scale), generator).x
    found = detector.found_at(detector.scores(x), torch.tensor(places).expand(len(x), -1, 2))
    crops = [x[:, :, row : row + DIGIT_SIZE, column : column + DIGIT_SIZE] for column, row in places]
    named = torch.stack([evaluator.predict(crop) for crop in crops], dim=1)
    right = found & (named == labels)
    measured = {
        "right digits": float(right.double().mean()),
        "all right": float(right.all(dim=1).double().mean()),
    }
    return Mosaics(measured, labels, x)


def digit_tapestry(
    config: TapestryComparison,
    arm: str,
    seed: int,
    digits: DigitModels | None = None,
    evaluator: Evaluator | None = None,
) -> Mosaics:
    """Tapestries of overlapping regions, each asked for a random digit by the denoiser's own label.

    Measured are `regional accuracy`, the share of regions in which the evaluator sees the digit asked for, and `whole
    tapestries`, the share of tapestries of which it does in all regions.

    Args:
        config: layout, images, moves.
        arm: "average/..." for `tapestry.Tapestry` or "product/..." for `tapestry.product_of_crops`, and "reverse" or
            "ula".
        seed: of digits and initial noise, which all arms share, and of what the arm draws after.
        digits: by default, the networks that ship with the package.
        evaluator: by default, the one trained on the split that no network has seen.
    """
    digits = DigitModels.from_pretrained() if digits is None else digits
    evaluator = default_evaluator() if evaluator is None else evaluator
    schedule = digits.schedule.respace(config.num_levels)
    timesteps = digits.schedule.nearest_levels(schedule)
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(NUM_DIGITS, (config.rows, config.columns, config.num_images), generator=generator)
    leaves = [
        [PredictionLeaf(digits.denoiser, schedule, condition=label, timesteps=timesteps) for label in row]
        for row in labels
    ]
    regions = grid_of_regions(leaves, config.stride)
    overlap, sampler = arm.split("/")
    make = Tapestry if overlap == "average" else product_of_crops
    start = torch.randn(config.num_images, 1, *config.canvas, generator=generator)
    options = _options(sampler == "reverse", config.moves, config.step_scale)
    x = draw(make(regions, config.canvas, TILE), schedule, start, options, generator).x
    crops = [x[:, :, region.y : region.y + DIGIT_SIZE, region.x : region.x + DIGIT_SIZE] for region in regions]
    asked = labels.flatten(0, 1)
    right = torch.stack([evaluator.correct(crop, label) for crop, label in zip(crops, asked, strict=True)], dim=1)
    measured = {
        "regional accuracy": float(right.mean()),
        "whole tapestries": float((right == 1).all(dim=1).double().mean()),
    }
    return Mosaics(measured, asked.T, x)


def _options(reverse: bool, moves: int, step_scale: float) -> SamplerOptions:
    """Reverse steps alone, or each followed by so many ULA moves."""
    return SamplerOptions(
        method="reverse" if reverse else "reverse-mcmc",
        kernel="ula",
        steps_per_level=moves,
        step_law="sigma-power",
        step_scale=step_scale,
        step_power=2.0,
        clip_x0=CLIP_X0,
    )
