"""Composition of two separately trained models: fraction of images with both attributes (claim C12).

One model was trained on the digits 3, 5 and 8 with strokes of any width, the other on thick strokes of any digit. They
differ in noise levels and in what they predict.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from compose_diffusion.algebra.composition import Expression
from compose_diffusion.config.reuse import CompositionConfig, ReuseConfig
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.digits import IMAGE_SIZE, ink, ink_threshold, load_digits
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.evaluation.digit_evaluator import Evaluator, default_evaluator, nearest_distances
from compose_diffusion.pretrained.adapters import from_diffusers
from compose_diffusion.pretrained.leaf import DiffusersLeaf
from compose_diffusion.samplers.samplers import draw

SHIPPED_WEIGHTS = Path(__file__).parents[1] / "assets" / "weights" / "reuse"
ARMS = ("shape", "thick", "reverse", "reverse-finer", "mcmc")
MEASURES = {
    "both": "both attributes",
    "shape": "a 3, 5 or 8",
    "thick": "thick strokes",
    "nearest_distance": "distance to training data",
}


@dataclass(frozen=True, eq=False)
class ReusedModels:
    """Both models as leaves on the levels of the first."""

    shape: DiffusersLeaf
    thick: DiffusersLeaf

    @classmethod
    def from_pretrained(cls, num_levels: int, folder: str | Path | None = None) -> "ReusedModels":
        """From the folder of a training run, or the shipped models.

        Raises:
            UsageError: a folder without the two pipelines; see `from_diffusers`.
        """
        folder = SHIPPED_WEIGHTS if folder is None else Path(folder)
        shape = from_diffusers(folder / "shape", num_levels=num_levels)
        return cls(shape, from_diffusers(folder / "thick", schedule=shape.schedule))


def has_attributes(
    images: Float[Tensor, "count 1 height width"], evaluator: Evaluator | None = None
) -> tuple[Float[Tensor, " count"], Float[Tensor, " count"]]:
    """1 for a digit of the first model, else 0; and 1 for thick strokes, else 0.

    Digits are classified by an evaluator that has seen none of the training images; thickness is measured as ink.
    """
    evaluator = default_evaluator() if evaluator is None else evaluator
    digits = torch.tensor(ReuseConfig().shape.digits)
    return torch.isin(evaluator.predict(images), digits).double(), (ink(images) > ink_threshold()).double()


def composed_attributes(
    config: CompositionConfig, seed: int, models: ReusedModels | None = None, finer: ReusedModels | None = None
) -> tuple[dict[str, float], dict[str, Float[Tensor, "count 1 height width"]]]:
    """All arms for one seed: each model alone, and their product by reverse steps alone and with MCMC.

    The arm of reverse steps on twice as many levels has about as many evaluations as the arm with MCMC.

    Args:
        config: number of images and levels, and the sampler of the MCMC arm.
        seed: of the initial noise, common to all arms, and of the random numbers of each arm.
        models: by default, the shipped models.
        finer: the same on twice as many levels.

    Returns:
        `ARM/MEASURE` -> number, for `ARMS` and `MEASURES` and the evaluations of each network, and the images by arm.
    """
    models = ReusedModels.from_pretrained(config.num_levels) if models is None else models
    finer = ReusedModels.from_pretrained(2 * config.num_levels) if finer is None else finer
    training_images = load_digits("model").images
    generator = torch.Generator()
    start = torch.randn(config.num_images, 1, IMAGE_SIZE, IMAGE_SIZE, generator=generator.manual_seed(seed))
    after_start = generator.get_state()
    measured: dict[str, float] = {}
    images: dict[str, Tensor] = {}
    for arm, (expression, schedule, options) in _arms(config, models, finer).items():
        generator.set_state(after_start)
        result = draw(expression, schedule, start, options, generator)
        images[arm] = result.x
        shape, thick = has_attributes(result.x)
        values = {
            "both": float((shape * thick).mean()),
            "shape": float(shape.mean()),
            "thick": float(thick.mean()),
            "nearest_distance": float(nearest_distances(result.x, training_images).median()),
            "evaluations": float(result.gradient_evaluations),
        }
        measured |= {f"{arm}/{name}": value for name, value in values.items()}
    return measured, images


def _arms(
    config: CompositionConfig, models: ReusedModels, finer: ReusedModels
) -> Mapping[str, tuple[Expression, NoiseSchedule, SamplerOptions]]:
    reverse = dataclasses.replace(config.mcmc, method="reverse")
    both, schedule = models.shape & models.thick, models.shape.schedule
    arms = (
        (models.shape, schedule, reverse),
        (models.thick, schedule, reverse),
        (both, schedule, reverse),
        (finer.shape & finer.thick, finer.shape.schedule, reverse),
        (both, schedule, config.mcmc),
    )
    return dict(zip(ARMS, arms, strict=True))
