"""Counting: the accuracy of the scene scorer, and what a system trained on scenes draws (claims C5 to C7).

The prompts are those of composed scenes (`data.scenes`) in the forms of GeckoNum; the scene scorer takes the place of
people who count.
"""

from collections.abc import Sequence

import numpy as np
from onepaper.claims import ClaimContext, Evidence, ImageGrid, Measurement, Plot, Table
from onepaper.claims.evidence import ArmResult
from onepaper.display.plots import lines
from scipy.stats import spearmanr

from imagen3.data.scenes import FORMS, Scene, draw_scene, random_scene, scene_captions
from imagen3.evaluation.counting import CountingPrompt, accuracy, accuracy_by
from imagen3.evaluation.scene_counting import count_scenes
from imagen3.evaluation.scene_scorer import BLUR, NOISE, check_scorer, degraded
from imagen3.pretrained.systems import open_system
from imagen3.sampling import generate

# A system that is trained on scenes.
SYSTEM = "scenes"

# Of each form, and of each number from 1 to 5 of simple prompts.
PROMPTS = 40
NUMBERS = (1, 2, 3, 4, 5)
SCENES, SIZE, SHOWN = 700, 64, 8


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


def counting_prompts() -> list[tuple[CountingPrompt, Scene]]:
    """Prompts of all forms, the same ones for every seed; of simple ones, the same number for each count to 5."""
    generator = np.random.default_rng(0)
    found = []
    for form in FORMS:
        for number in range(PROMPTS * (len(NUMBERS) if form == FORMS[0] else 1)):
            wanted = NUMBERS[number % len(NUMBERS)] if form == FORMS[0] else None
            scene = random_scene(form, generator, SIZE)
            while wanted is not None and len(scene.objects) != wanted:
                scene = random_scene(form, generator, SIZE)
            entities = tuple((kind.singular, count) for kind, count in scene.counts.items())
            text = scene_captions(scene, numerals=bool(number % 2))[0]
            found.append((CountingPrompt(f"{form}-{number}", text, form, entities), scene))
    return found


def drawn_counts(seed: int) -> dict[str, float]:
    """Accuracies of the system's pictures of all prompts, by number and by form.

    Raises:
        OnePaperError: the scorer is not good enough to evaluate them.
    """
    check_scorer(100, seed, size=SIZE)
    prompts = [prompt for prompt, _ in counting_prompts()]
    pixels = generate(open_system(SYSTEM), [prompt.text for prompt in prompts], seed=seed)
    pictures = {prompt.id: (prompt.id, picture) for prompt, picture in zip(prompts, pixels, strict=True)}
    scored = count_scenes(prompts, pictures).scored
    simple = [one for one in scored if one.question.type == FORMS[0]]
    numbers, forms = accuracy_by(simple, lambda own: own.target), accuracy_by(scored, lambda own: own.type)
    return {
        "all": accuracy(scored).estimate,
        **{f"number {key}": own.estimate for key, (_, own) in numbers.items()},
        **{f"form {key}": own.estimate for key, (_, own) in forms.items()},
    }


def arms(context: ClaimContext) -> dict[int, ArmResult]:
    """The accuracies of each seed, which claims C5 to C7 share."""
    return {seed: context.arm("counts of drawn scenes", seed, lambda s=seed: drawn_counts(s)) for seed in context.seeds}


def counting_accuracy(context: ClaimContext) -> Evidence:
    """Claim C5: the accuracy over all prompts, and pictures of some."""
    found = arms(context)
    prompts = [prompt.text for prompt, _ in counting_prompts()][:: PROMPTS // 2][:SHOWN]
    pictures = generate(open_system(SYSTEM), prompts, seed=context.seeds[0])
    return Evidence(
        "",
        [Measurement.over_seeds("accuracy", {seed: own["all"] for seed, own in found.items()})],
        [ImageGrid("Pictures", pictures / 255, prompts, upscale=2)],
    )


def counting_by_number(context: ClaimContext) -> Evidence:
    """Claim C6: the accuracy of simple prompts by the requested number."""
    found = arms(context)
    curves = {seed: [own[f"number {number}"] for number in NUMBERS] for seed, own in found.items()}
    mean = np.mean(list(curves.values()), axis=0)
    falls = {seed: own[0] - own[-1] for seed, own in curves.items()}
    ranks = {seed: _correlation(own) for seed, own in curves.items()}
    return Evidence(
        "",
        [
            Measurement.over_seeds("accuracy of 1 minus that of 5", falls),
            Measurement.over_seeds("rank correlation with the number", ranks),
        ],
        [Plot("Accuracy by number", lines({"accuracy": (np.array(NUMBERS), mean)}, "requested number", "accuracy"))],
    )


def _correlation(values: Sequence[float]) -> float:
    return float(np.asarray(spearmanr(NUMBERS, values)[0]))


def counting_by_form(context: ClaimContext) -> Evidence:
    """Claim C7: the accuracy of each form of prompt."""
    found = arms(context)
    return Evidence(
        "",
        [Measurement.over_seeds(form, {seed: own[f"form {form}"] for seed, own in found.items()}) for form in FORMS],
    )
