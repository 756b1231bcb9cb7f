"""Measurement of the claim about guided digits."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from onepaper.claims import ClaimContext, Evidence, ImageGrid, Measurement, Note

from compose_diffusion.config.digits import GuidanceConfig
from compose_diffusion.evaluation.guided_digits import MEASURES, first_rows, guidance_accuracy, real_frechet_distance

GUIDANCE_LABELS = {"reverse": "reverse", "mcmc": "reverse + ULA"}


_ROWS_SHOWN = 3


def guided_digits(context: ClaimContext) -> Evidence:
    """C10: classifier guidance of the unconditional denoiser of digits, with and without MCMC at each level."""
    config = GuidanceConfig()

    def arm(seed: int) -> Mapping[str, float | np.ndarray]:
        drawn = guidance_accuracy(config, seed)
        shown = {f"{name}/images": images.numpy() for name, images in first_rows(drawn, _ROWS_SHOWN).items()}
        return {**drawn.measured, **shown}

    arms = {
        seed: context.arm("guided digits", seed, partial(arm, seed))
        for seed in context.track(context.seeds, "guided digits")
    }
    measured = [
        Measurement.over_seeds(f"{heading}, {label}", {seed: result[f"{name}/{key}"] for seed, result in arms.items()})
        for key, heading in MEASURES.items()
        if key != "seconds"
        for name, label in GUIDANCE_LABELS.items()
    ]
    first = arms[context.seeds[0]]
    grids = [
        ImageGrid(
            f"{label}: digits 0 to 9 asked for, column by column",
            (first[f"{name}/images"][:, 0].clip(-1, 1) + 1) / 2,
            columns=10,
            upscale=5,
            caption="First images of the first seed; both arms start from the same noise.",
        )
        for name, label in GUIDANCE_LABELS.items()
    ]
    count, seeds = config.num_images, len(context.seeds)
    reverse, mcmc = (m.mean for m in measured[:2])
    spread = (reverse * (1 - reverse) / (count * seeds)) ** 0.5
    return Evidence(
        f"{mcmc:.1%} of the images show the requested digit, with reverse alone {reverse:.1%} "
        f"({seeds} x {count} images each, binomial standard error {spread:.1%})",
        measured,
        [
            *grids,
            Note(
                f"Guidance scale {config.scale:g}. The evaluator is a support vector machine trained on images "
                "that neither network has seen. For as many real digits the Frechet distance is "
                f"{real_frechet_distance(count):.3f}."
            ),
        ],
    )
