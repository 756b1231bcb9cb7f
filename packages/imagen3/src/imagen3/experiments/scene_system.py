"""Claims C5 to C7: what a small system draws of counting prompts after a training on scenes.

Its prompts have at least one number of a kind that is in no scene of its training (`data.scenes.scene_part`). The scene
scorer, which claim X1 measures, takes the place of the people who count; each seed gives every prompt one picture.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from onepaper.claims import ClaimContext, Evidence, ImageGrid, Measurement, Plot, Table
from onepaper.claims.evidence import ArmResult
from onepaper.display.plots import lines_with_intervals
from onepaper.errors import UsageError
from scipy.stats import spearmanr

from imagen3.data.scenes import FORMS, Scene, draw_scene, random_scene, scene_captions, scene_part
from imagen3.evaluation.counting import CountingPrompt, Question, Scored, accuracy_by
from imagen3.evaluation.scene_counting import count_scenes
from imagen3.pretrained.systems import System, open_system
from imagen3.sampling import generate, to_bytes
from imagen3.training.autoencoder import encode_all

# What the command of that training writes.
TRAINED = Path("runs/imagen3/train-scenes")

# Of each form; the seed is that of the prompts alone.
PROMPTS, PROMPTS_SEED = 100, 3

# The curve over numbers (figure 12) is that of the forms that ask for one to five objects of a kind equally often.
NUMBERS, NUMBER_FORMS = range(1, 6), ("numeric_simple", "numeric_sentence", "2-additive", "attribute-spatial")

# Forms have different largest numbers; they are compared (figure 13) on questions about numbers that all have.
COMMON_NUMBERS, COMPARED = (1, 2, 3), ("numeric_simple", "2-additive", "3-additive", "attribute-spatial")

SHOWN = 8

Arms = dict[int, ArmResult]
Answers = Float[np.ndarray, " questions"]


class Prompted(NamedTuple):
    """A counting prompt and a scene that it describes."""

    prompt: CountingPrompt
    scene: Scene


@cache
def held_out_prompts() -> tuple[Prompted, ...]:
    """Scenes that are not learned from, as many of each form, with their captions; the same for all seeds.

    Forms with one kind have few different captions, which are there several times with one identifier.
    """
    found: list[Prompted] = []
    identifiers: dict[str, str] = {}
    generator = np.random.default_rng(PROMPTS_SEED)
    for form in FORMS:
        scenes = (random_scene(form, generator) for _ in count())
        for scene in islice((scene for scene in scenes if scene_part(scene) != "train"), PROMPTS):
            caption = scene_captions(scene, numerals=bool(generator.random() < 0.5))[0]
            identifier = identifiers.setdefault(caption, f"scene_{len(found):05d}")
            entities = tuple((kind.singular, number) for kind, number in scene.counts.items())
            found.append(Prompted(CountingPrompt(identifier, caption, form, entities), scene))
    return tuple(found)


def trained_system() -> System:
    """The system of the preset `scenes`, which is trained once for all seeds; its weights are too large for the wheel.

    Raises:
        UsageError: it was not trained.
    """
    if not TRAINED.is_dir():
        raise UsageError(
            f"{TRAINED} is missing; train the system first: onepaper imagen3 train --preset scenes --seed 0"
        )
    return open_system(TRAINED)


def questions() -> list[Question]:
    """About the pictures of all prompts, in their order: how many of each kind."""
    return [question for own in held_out_prompts() for question in own.prompt.questions()]


def answers(pictures: UInt8[np.ndarray, "prompts height width 3"]) -> Answers:
    """1 for each question whose number the scorer finds on the picture, otherwise 0."""
    prompts = [own.prompt for own in held_out_prompts()]
    named = {str(index): (prompt.id, pictures[index]) for index, prompt in enumerate(prompts)}
    return np.array([own.share for own in count_scenes(prompts, named).scored])


def drawn_prompts(seed: int, *, guided: bool) -> ArmResult:
    """The answers about what the system draws, and some of its pictures."""
    system = trained_system()
    options = system.config.sampling if guided else replace(system.config.sampling, guidance=1.0)
    drawn = generate(system, [own.prompt.text for own in held_out_prompts()], options, seed=seed)
    return {"right": answers(drawn), "shown": drawn[shown_prompts()]}


def shown_prompts() -> list[int]:
    """Numbers of prompts whose pictures are shown."""
    return np.linspace(0, len(held_out_prompts()) - 1, SHOWN).astype(int).tolist()


def decoded_scenes() -> UInt8[np.ndarray, "prompts height width 3"]:
    """Scenes of the prompts, encoded and decoded: what is lost without any error of the denoiser."""
    autoencoder = trained_system().autoencoder
    encoded = encode_all(autoencoder, np.stack([draw_scene(own.scene) for own in held_out_prompts()]))
    with torch.inference_mode():
        return to_bytes(autoencoder.decode(encoded.mean))


def _arms(context: ClaimContext, *, guided: bool = True) -> Arms:
    """The guided ones are shared by all three claims."""
    name = "held-out prompts" if guided else "held-out prompts without guidance"
    return {seed: context.arm(name, seed, partial(drawn_prompts, seed, guided=guided)) for seed in context.seeds}


def _accuracy(name: str, arms: Arms, keep: Callable[[Question], bool] = lambda _: True) -> Measurement:
    """The share of right answers to some of the questions, for each seed."""
    kept = np.array([keep(question) for question in questions()])
    return Measurement.over_seeds(name, {seed: float(arm["right"][kept].mean()) for seed, arm in arms.items()})


def _table(title: str, arms: Arms, decoded: Answers, group: Callable[[Question], int | str]) -> Table:
    """Accuracy by group over the pictures of all seeds, with 95% intervals over prompts; and that of decoded scenes."""
    scored = [
        Scored(question, str(seed), float(right))
        for seed, arm in arms.items()
        for question, right in zip(questions(), arm["right"], strict=True)
    ]
    groups = np.array([str(group(question)) for question in questions()])
    rows = [
        (
            key,
            size,
            f"{own.estimate:.3f}",
            f"{own.low:.3f} to {own.high:.3f}",
            f"{decoded[groups == str(key)].mean():.3f}",
        )
        for key, (size, own) in accuracy_by(scored, group).items()
    ]
    return Table(title, ("", "answers", "accuracy", "95% interval", "decoded scenes"), rows)


def counting_accuracy(context: ClaimContext) -> Evidence:
    """Claim C5: the share of right numbers, with and without guidance, and that of decoded scenes."""
    guided, plain, decoded = _arms(context), _arms(context, guided=False), decoded_scenes()
    bound, chosen, first = answers(decoded), shown_prompts(), context.seeds[0]
    shown = np.concatenate([guided[first]["shown"], plain[first]["shown"], decoded[chosen]])
    texts = "; ".join(held_out_prompts()[number].prompt.text for number in chosen)
    return Evidence(
        "",
        [
            _accuracy("accuracy", guided),
            _accuracy("accuracy without guidance", plain),
            Measurement.exact("accuracy, scenes encoded and decoded", float(bound.mean())),
        ],
        [
            _table("All questions", guided, bound, lambda _: "all"),
            ImageGrid(f"Guided, without guidance, decoded scenes: {texts}", shown / 255, columns=SHOWN),
        ],
    )


def accuracy_by_number(context: ClaimContext) -> Evidence:
    """Claim C6: the curve over the requested number, and the correlation of both by ranks."""
    arms = _arms(context)

    def at(number: int) -> Measurement:
        name = f"accuracy, {number} object{'s' if number > 1 else ''}"
        return _accuracy(name, arms, lambda own: own.target == number and own.type in NUMBER_FORMS)

    curve = [at(number) for number in NUMBERS]
    by_seed = zip(curve[0].seeds, zip(*(own.values for own in curve), strict=True), strict=True)
    correlation = {seed: float(np.asarray(spearmanr(NUMBERS, values)[0])) for seed, values in by_seed}
    estimates = {"accuracy": [(own.mean, own.low, own.high) for own in curve]}
    figure = lines_with_intervals(list(NUMBERS), estimates, "requested number", "accuracy", log_x=False)
    table = _table("By the requested number, all forms", arms, answers(decoded_scenes()), lambda own: own.target)
    ranks = Measurement.over_seeds("rank correlation of number and accuracy", correlation)
    return Evidence("", [*curve, ranks], [Plot("Accuracy by the requested number", figure), table])


def accuracy_by_form(context: ClaimContext) -> Evidence:
    """Claim C7: the accuracy for each form of prompt at the numbers that all forms have."""
    arms = _arms(context)

    def of(form: str) -> Measurement:
        return _accuracy(f"accuracy, {form}", arms, lambda own: own.type == form and own.target in COMMON_NUMBERS)

    table = _table("By form, all numbers", arms, answers(decoded_scenes()), lambda own: own.type)
    return Evidence("", [of(form) for form in COMPARED], [table])
