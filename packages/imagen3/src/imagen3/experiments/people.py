"""Claims X3 and X4: people that a system draws after trainings with skewed and balanced data.

The people are emoji, drawn in the five skin tones of Unicode; the captions do not name a tone. What the small denoiser
draws is labelled by the nearest tone, and the tables are those of a folder with a file of labels. Perceived gender and
age cannot be seen in such small drawings, so that only the tone is measured.
"""

from collections.abc import Callable
from functools import cache, partial

import numpy as np
from jaxtyping import Int
from onepaper.claims import ClaimContext, Evidence, ImageGrid, Measurement, Table
from onepaper.claims.evidence import ArmResult

from imagen3.config import SamplingOptions
from imagen3.data.emoji import PERIOD, emoji, emoji_pictures
from imagen3.data.pictures import Caption, Pictures
from imagen3.experiments.data_recipe import small_config
from imagen3.pretrained.systems import System, open_system
from imagen3.responsibility.fairness import AXES, Labels, distribution, fairness_table, homogeneity, homogeneity_table
from imagen3.responsibility.tones import MONK, TONES, skin, tone_of, with_tone
from imagen3.sampling import generate
from imagen3.training.cache import build_cache
from imagen3.training.denoiser import train_denoiser

# Shares of the tones, from light to dark, in the training data.
MIXES = {"skewed": (0.5, 0.3, 0.1, 0.07, 0.03), "balanced": (0.2, 0.2, 0.2, 0.2, 0.2)}

# Prompts are names of people and hands of which at least this share is skin; each is there in so many copies.
LEAST_SKIN, COPIES = 0.25, 10

# Pictures of each prompt, steps, and no guidance, which would narrow what is drawn.
DRAWN, SAMPLING = 8, SamplingOptions(steps=10, guidance=1.0)
SHOWN = 8


@cache
def people() -> Int[np.ndarray, " chosen"]:
    """Numbers of the emoji whose names are the prompts."""
    pictures = emoji_pictures()
    return np.array(
        [
            number
            for number, concept in enumerate(emoji())
            if concept.category == "People & Body" and skin(pictures[number]).mean() >= LEAST_SKIN
        ]
    )


def collection(shares: tuple[float, ...], seed: int) -> Pictures:
    """Copies of all people with tones drawn from a mix, with their names as captions."""
    numbers = np.repeat(people(), COPIES)
    tones = np.random.default_rng(seed).choice(list(TONES), len(numbers), p=shares)
    pixels = [with_tone(emoji_pictures()[number], str(tone)) for number, tone in zip(numbers, tones, strict=True)]
    captions = [[Caption(emoji()[number].name, True)] for number in numbers]
    parts = ["validation" if index % PERIOD == PERIOD - 1 else "train" for index in range(len(numbers))]
    return Pictures(np.stack(pixels), captions, parts, [True] * len(numbers))


def drawn_people(seed: int, *, mix: str) -> ArmResult:
    """Labels of what a small denoiser draws after a training with a mix, and some of the pictures."""
    shipped = open_system()
    config, learned = small_config(shipped.config, 0.0), collection(MIXES[mix], seed)
    features = build_cache(shipped.autoencoder, shipped.encoder, learned)
    denoiser, _ = train_denoiser(config, shipped.autoencoder, features, learned, seed=seed)
    system = System(config, shipped.autoencoder, denoiser, shipped.encoder)
    prompts = [emoji()[number].name for number in people() for _ in range(DRAWN)]
    drawn = generate(system, prompts, SAMPLING, seed=seed)
    tones = [MONK.get(tone_of(picture), "") for picture in drawn]
    return {"prompts": prompts, "tones": tones, "shown": drawn[:: len(drawn) // SHOWN][:SHOWN]}


def labels_of(arm: ArmResult) -> Labels:
    """The labels of one arm, as a file would give them."""
    return Labels(tuple(arm["prompts"]), {"tone": tuple(arm["tones"])})


def _arms(context: ClaimContext) -> dict[str, dict[int, ArmResult]]:
    """What is drawn after each mix and seed; both claims share it."""
    return {
        mix: {
            seed: context.arm(f"people, {mix} data", seed, partial(drawn_people, seed, mix=mix))
            for seed in context.seeds
        }
        for mix in MIXES
    }


def tones_of_people(context: ClaimContext) -> Evidence:
    """Claim X3: the share of the most frequent group of tones among the drawn people that have one."""
    arms, seed = _arms(context), context.seeds[0]
    systems = {f"{mix} data": labels_of(own[seed]) for mix, own in arms.items()}
    shown = np.concatenate([own[seed]["shown"] for own in arms.values()])
    return Evidence(
        "",
        [
            *(
                Measurement.over_seeds(f"largest share of tones, {mix} data", _each(own, _largest_share))
                for mix, own in arms.items()
            ),
            *(
                Measurement.over_seeds(f"pictures with a tone, {mix} data", _each(own, _labelled))
                for mix, own in arms.items()
            ),
        ],
        [
            Table(f"Tones of drawn people, seed {seed}", *_split(fairness_table(systems))),
            ImageGrid("Drawn after skewed (above) and balanced data", shown / 255, columns=SHOWN, upscale=2),
        ],
    )


def prompts_of_one_tone(context: ClaimContext) -> Evidence:
    """Claim X4: the share of prompts whose pictures are all of one group of tones."""
    arms, seed = _arms(context), context.seeds[0]
    systems = {f"{mix} data": labels_of(own[seed]) for mix, own in arms.items()}
    return Evidence(
        "",
        [
            Measurement.over_seeds(
                f"prompts of one tone, {mix} data", _each(own, lambda labels: homogeneity(labels, "tone").rate.share)
            )
            for mix, own in arms.items()
        ],
        [Table(f"Prompts with people of one group of tones, seed {seed}", *_split(homogeneity_table(systems)))],
    )


def _each(arms: dict[int, ArmResult], measure: Callable[[Labels], float]) -> dict[int, float]:
    return {seed: measure(labels_of(arm)) for seed, arm in arms.items()}


def _largest_share(labels: Labels) -> float:
    shares = distribution(labels, "tone")
    return max(shares[category].share for category in AXES["tone"])


def _labelled(labels: Labels) -> float:
    return float(np.mean([bool(tone) for tone in labels.axes["tone"]]))


def _split(rows: list[tuple[str, ...]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    return rows[0], rows[1:]
