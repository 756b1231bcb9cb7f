"""Models of single digits on larger canvases: requested digits at requested positions, and tapestries.

What and where (claim C12b): one network is conditioned on positions, another, trained separately on images of another
size, on classes. Tapestries (claim C11): overlapping regions of a canvas use the same small network, each with a digit
of its own.
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
    """Samples and measures of one sampler.

    Attributes:
        measured: name -> number.
        labels: [count, requested], requested digits.
        images: [count, 1, height, width].
    """

    measured: dict[str, float]
    labels: Int[Tensor, "count requested"]
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
    """Canvases with digits of random classes at requested positions, which are the same for all canvases of a seed.

    Measures: `right digits`, the fraction of requested digits that the detector finds and the evaluator classifies
    correctly; `all right`, the fraction of canvases on which all requested digits are right.

    Args:
        config: number of digits, weights, images.
        arm: "reverse" or "ula", both networks composed; "places alone", ULA with the network of positions only.
        seed: of positions, classes and initial noise, common to all arms, and of the random numbers of the arm.
        positions: by default, the shipped networks.
        digits: by default, the shipped networks.
        detector: by default, `default_detector`.
        evaluator: by default, `default_evaluator`.
    """
    positions = PositionModels.from_pretrained() if positions is None else positions
    digits = DigitModels.from_pretrained() if digits is None else digits
    detector = default_detector() if detector is None else detector
    evaluator = default_evaluator() if evaluator is None else evaluator
    size = positions.score.config.canvas_size
    rng = np.random.default_rng(seed)
    layout = arrangements(1, config.num_digits, CanvasConfig(size=size), rng)[0]
    top_lefts = [(int(x), int(y)) for x, y in layout]
    labels = torch.from_numpy(rng.integers(0, NUM_DIGITS, (config.num_images, config.num_digits)))
    schedule = positions.schedule.respace(config.num_levels)
    if arm == "places alone":
        expression = digits_at(positions, top_lefts, weight=config.weight, schedule=schedule)
    else:
        requested = dict(zip(top_lefts, labels.unbind(dim=1), strict=True))
        expression = digits_of_class_at(
            positions, digits, requested, schedule, weight=config.weight, class_weight=config.class_weight
        )
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(config.num_images, 1, size, size, generator=generator)
    x = draw(expression, schedule, start, _options(arm == "reverse", config.moves, config.step_scale), generator).x
    found = detector.found_at(detector.scores(x), torch.tensor(top_lefts).expand(len(x), -1, 2))
    crops = [x[:, :, row : row + DIGIT_SIZE, column : column + DIGIT_SIZE] for column, row in top_lefts]
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
    """Tapestries of overlapping regions, each conditioned on a random digit.

    Measures: `regional accuracy`, the fraction of regions that the evaluator classifies as the requested digit; `whole
    tapestries`, the fraction of tapestries for which it does in all regions.

    Args:
        config: layout, images, MCMC steps.
        arm: "average/..." for `tapestry.Tapestry` or "product/..." for `tapestry.product_of_crops`, and "reverse" or
            "ula".
        seed: of digits and initial noise, common to all arms, and of the random numbers of the arm.
        digits: by default, the shipped networks.
        evaluator: by default, `default_evaluator`.
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
    requested = labels.flatten(0, 1)
    right = torch.stack([evaluator.correct(crop, label) for crop, label in zip(crops, requested, strict=True)], dim=1)
    measured = {
        "regional accuracy": float(right.mean()),
        "whole tapestries": float((right == 1).all(dim=1).double().mean()),
    }
    return Mosaics(measured, requested.T, x)


def _options(reverse: bool, mcmc_steps: int, step_scale: float) -> SamplerOptions:
    """Reverse steps alone, or each followed by this number of ULA steps."""
    return SamplerOptions(
        method="reverse" if reverse else "reverse-mcmc",
        kernel="ula",
        steps_per_level=mcmc_steps,
        step_law="sigma-power",
        step_scale=step_scale,
        step_power=2.0,
        clip_x0=CLIP_X0,
    )
