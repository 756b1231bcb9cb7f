"""Claim X1: the accuracy of the scene scorer, which takes the place of people who count."""

import numpy as np
from onepaper.claims import ClaimContext, Evidence, ImageGrid, Measurement, Table

from imagen3.data.scenes import FORMS, draw_scene, random_scene
from imagen3.evaluation.scene_scorer import BLUR, NOISE, check_scorer, degraded

SCENES, SIZE = 700, 64


def scorer_accuracy(context: ClaimContext) -> Evidence:
    """Claim X1: the answers of the scene scorer about new scenes with noise and blur."""
    checks = {seed: check_scorer(SCENES, seed, least=0.0) for seed in context.seeds}
    confusion = np.sum([check.confusion for check in checks.values()], axis=0)
    rows = [(str(wanted), *map(str, confusion[wanted, :13])) for wanted in range(1, 11)]
    mistaken = [
        (shown, found, str(count)) for check in checks.values() for (shown, found), count in check.mistaken.items()
    ]
    generator = np.random.default_rng(context.seeds[0])
    shown = [
        degraded(draw_scene(random_scene(form, generator, SIZE)), generator, NOISE, BLUR) for form in (*FORMS, FORMS[0])
    ]
    return Evidence(
        "",
        [
            Measurement.over_seeds("right answers", {seed: check.accuracy for seed, check in checks.items()}),
            Measurement.over_seeds("scenes without any error", {seed: own.scenes for seed, own in checks.items()}),
        ],
        [
            Table("Scenes by number of objects (rows) and number found", ("", *map(str, range(13))), rows),
            Table(
                "Kinds that were found and are not there", ("scene", "found", "times"), mistaken or [("none", "", "")]
            ),
            ImageGrid(f"Scenes with noise of {NOISE:g} and a blur of {BLUR:g}", np.stack(shown) / 255, upscale=2),
        ],
    )
