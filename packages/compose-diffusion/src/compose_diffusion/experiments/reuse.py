"""Measurement of the claim about the reuse of trained models."""

from collections.abc import Mapping
from functools import cache, partial

import numpy as np
from onepaper.claims import ClaimContext, Evidence, ImageGrid, Measurement, Note

from compose_diffusion.config.reuse import CompositionConfig
from compose_diffusion.data.digits import load_digits
from compose_diffusion.evaluation.reused_models import MEASURES, ReusedModels, composed_attributes, has_attributes

LABELS = {
    "shape": "A (digits 3, 5, 8)",
    "thick": "B (thick strokes)",
    "reverse": "A & B, reverse",
    "reverse-finer": "A & B, reverse, twice the levels",
    "mcmc": "A & B, reverse + ULA",
}
_IMAGES_SHOWN = 30


def reused_models(context: ClaimContext) -> Evidence:
    """C12: two models, trained separately with different noise levels and predictions, composed without fine-tuning."""
    config = CompositionConfig()
    models = cache(ReusedModels.from_pretrained)  # read once, and only if an arm runs

    def arm(seed: int) -> Mapping[str, float | np.ndarray]:
        measured, images = composed_attributes(config, seed, models(config.num_levels), models(2 * config.num_levels))
        return {**measured, **{f"{name}/images": x[:_IMAGES_SHOWN].numpy() for name, x in images.items()}}

    arms = {
        seed: context.arm("reused models", seed, partial(arm, seed))
        for seed in context.track(context.seeds, "reused models")
    }
    measured = [
        Measurement.over_seeds(f"{heading}, {label}", {seed: result[f"{name}/{key}"] for seed, result in arms.items()})
        for key, heading in MEASURES.items()
        for name, label in LABELS.items()
    ]
    first = arms[context.seeds[0]]
    grids = [
        ImageGrid(
            label,
            (first[f"{name}/images"][:, 0].clip(-1, 1) + 1) / 2,
            columns=10,
            upscale=5,
            caption="First images of the first seed; all arms start from the same noise.",
        )
        for name, label in LABELS.items()
    ]
    shape, thick, reverse, finer, mcmc = (measurement.mean for measurement in measured[: len(LABELS)])
    count, seeds = config.num_images, len(context.seeds)
    error = (mcmc * (1 - mcmc) / (count * seeds)) ** 0.5
    return Evidence(
        f"{mcmc:.1%} of the images have both attributes, by reverse alone {reverse:.1%} (on twice the levels "
        f"{finer:.1%}), of either model alone {shape:.1%} and {thick:.1%} ({seeds} x {count} images each, binomial "
        f"standard error {error:.1%})",
        measured,
        [*grids, Note(_note(config, first))],
    )


def _note(config: CompositionConfig, first: Mapping[str, float]) -> str:
    real_shape, real_thick = has_attributes(load_digits("model").images)
    return (
        "A predicts noise on linear betas, B velocity on a cosine schedule; both are evaluated on "
        f"{config.num_levels} levels of A. An image has both attributes if a support vector machine, trained on other "
        "images, classifies it as 3, 5 or 8 and it has more ink than the median training image; "
        f"{float((real_shape * real_thick).mean()):.1%} of the real images have. Evaluations of both networks per "
        f"image: {first['reverse/evaluations']:.0f} by reverse, {first['reverse-finer/evaluations']:.0f} on twice "
        f"the levels, {first['mcmc/evaluations']:.0f} with MCMC."
    )
