"""Classifier guidance of real digits with and without MCMC (claim C10).

Both arms use the same score, that of the unconditional denoiser plus lambda times the gradient of log p(y | x_t), and
the same initial noise. One takes reverse steps only; the other also takes MCMC steps at every level.
"""

import dataclasses
import time
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from compose_diffusion.config.digits import NUM_DIGITS, GuidanceConfig
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.digits import IMAGE_SIZE, balanced_labels, load_digits
from compose_diffusion.evaluation.digit_evaluator import Evaluator, default_evaluator, nearest_distances
from compose_diffusion.models.digit_guidance import guided_by_classifier
from compose_diffusion.models.digits import DigitModels
from compose_diffusion.samplers.samplers import draw

ARMS = ("reverse", "mcmc")


# Measures of each arm, and their headings in the table.
MEASURES = {
    "accuracy": "accuracy",
    "frechet_distance": "Frechet distance",
    "nearest_distance": "distance to training data",
    "network_evaluations": "network evaluations",
    "seconds": "seconds",
}


@dataclass(frozen=True, eq=False)
class GuidedSamples:
    """Samples and measures of one seed.

    Attributes:
        measured: `ARM/MEASURE` -> number, for both `ARMS` and all `MEASURES`.
        labels: [count], requested digits, the same in both arms.
        images: arm -> [count, 1, 8, 8].
    """

    measured: dict[str, float]
    labels: Int[Tensor, " count"]
    images: dict[str, Float[Tensor, "count 1 height width"]]


def guidance_accuracy(
    config: GuidanceConfig,
    seed: int,
    models: DigitModels | None = None,
    evaluator: Evaluator | None = None,
) -> GuidedSamples:
    """Both arms for one seed.

    Accuracy is the fraction of images that the evaluator classifies as the requested digit. The Frechet distance is
    that of `Evaluator.frechet_distance`, to the evaluator's own images. The distance to training data is the median
    over images of the root mean square difference to the nearest image that the denoiser was trained on.

    Args:
        config: guidance scale, number of images, and the sampler of the MCMC arm.
        seed: of the initial noise, common to both arms, and of the random numbers of each arm.
        models: by default, the shipped networks.
        evaluator: by default, `default_evaluator`.
    """
    models = DigitModels.from_pretrained() if models is None else models
    evaluator = default_evaluator() if evaluator is None else evaluator
    device = next(models.denoiser.parameters()).device
    labels = balanced_labels(config.num_images)
    expression = guided_by_classifier(models, [labels.to(device)], weight=config.scale)
    training_images = load_digits("model").images
    generator = torch.Generator(device)
    start = torch.randn(
        config.num_images, 1, IMAGE_SIZE, IMAGE_SIZE, generator=generator.manual_seed(seed), device=device
    )
    after_start = generator.get_state()
    measured: dict[str, float] = {}
    images: dict[str, Tensor] = {}
    for arm, options in _arms(config).items():
        generator.set_state(after_start)
        begun = time.perf_counter()
        result = draw(expression, models.schedule, start, options, generator)
        seconds = time.perf_counter() - begun
        images[arm] = result.x.cpu()
        values = {
            "accuracy": float(evaluator.correct(images[arm], labels).mean()),
            "frechet_distance": evaluator.frechet_distance(images[arm]),
            "nearest_distance": float(nearest_distances(images[arm], training_images).median()),
            "network_evaluations": float(result.gradient_evaluations * len(expression.leaves())),
            "seconds": seconds,
        }
        measured |= {f"{arm}/{name}": value for name, value in values.items()}
    return GuidedSamples(measured, labels, images)


def _arms(config: GuidanceConfig) -> dict[str, SamplerOptions]:
    reverse = dataclasses.replace(config.mcmc, method="reverse")
    return dict(zip(ARMS, (reverse, config.mcmc), strict=True))


def first_rows(samples: GuidedSamples, rows: int = 4) -> dict[str, Float[Tensor, "count 1 height width"]]:
    """The first images of each arm, ten in a row, in the order of the requested digits."""
    return {arm: images[: NUM_DIGITS * rows] for arm, images in samples.images.items()}


def real_frechet_distance(count: int, evaluator: Evaluator | None = None) -> float:
    """Frechet distance of `count` real images that the evaluator has not seen: the value of perfect samples.

    Mean over ten random subsets.
    """
    evaluator = default_evaluator() if evaluator is None else evaluator
    images = load_digits("model").images
    chosen = (np.random.default_rng(seed).permutation(len(images))[:count] for seed in range(10))
    return float(np.mean([evaluator.frechet_distance(images[torch.from_numpy(indices)]) for indices in chosen]))
