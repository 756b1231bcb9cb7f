"""Claim C10: distances in different feature spaces do not rank systems equally; here, weights of guidance."""

from dataclasses import replace
from functools import cache

import numpy as np
from onepaper.claims import ClaimContext, Evidence, ImageGrid, Measurement, Plot, Table
from onepaper.display.plots import lines
from scipy.stats import spearmanr

from imagen3.config import SamplingOptions
from imagen3.data.pictures import Pictures, load_pictures
from imagen3.evaluation.distances import frechet, kernel_distance
from imagen3.evaluation.features import colour_features, latent_features
from imagen3.pretrained.systems import System, open_system
from imagen3.sampling import generate

WEIGHTS = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
SAMPLES, STEPS, SHOWN = 64, 10, 8

# Of standardised features; distances between their vectors grow with the root of their number.
KERNEL_WIDTH = np.sqrt(96)


@cache
def setting() -> tuple[System, Pictures]:
    """The system that ships and its pictures."""
    system = open_system()
    return system, load_pictures(system.config.data)


def chosen_pictures(pictures: Pictures) -> np.ndarray:
    """Evenly spaced pictures that are learned from, by number."""
    learned = pictures.indices("train", selected=True)
    return learned[np.linspace(0, len(learned) - 1, SAMPLES).astype(int)]


def distances(weight: float, seed: int) -> dict[str, float]:
    """Distances of samples of one weight and seed from the pictures with the same captions."""
    system, pictures = setting()
    numbers = chosen_pictures(pictures)
    drawn = generate(system, prompts_of(pictures, numbers), sampling(system, weight), seed=seed)
    real = pictures.pixels[numbers]
    colours, drawn_colours = colour_features(real), colour_features(drawn)
    mean, spread = colours.mean(0), colours.std(0) + 1e-6
    return {
        "FD of latents": frechet(
            latent_features(system.autoencoder, real), latent_features(system.autoencoder, drawn)
        ).distance,
        "MMD of colours": kernel_distance((colours - mean) / spread, (drawn_colours - mean) / spread, KERNEL_WIDTH),
    }


def prompts_of(pictures: Pictures, numbers: np.ndarray) -> list[str]:
    """The original caption of each picture."""
    return [next(caption.text for caption in pictures.captions[number] if caption.original) for number in numbers]


def sampling(system: System, weight: float) -> SamplingOptions:
    """The options of a weight: few steps, otherwise those of the system."""
    return replace(system.config.sampling, guidance=weight, steps=STEPS)


def guidance_sweep(context: ClaimContext) -> Evidence:
    """Both distances over the weights, and the correlation of their ranks."""
    rows = {
        seed: [context.arm(f"guidance {weight}", seed, lambda w=weight, s=seed: distances(w, s)) for weight in WEIGHTS]
        for seed in context.seeds
    }
    names = list(rows[context.seeds[0]][0])
    values = {name: {seed: [row[name] for row in own] for seed, own in rows.items()} for name in names}
    correlation = {seed: rank_correlation(*(values[name][seed] for name in names)) for seed in rows}
    # Noise alone lowers a correlation of ranks: the same distance over the noise of this seed and the next.
    following = dict(zip(context.seeds, [*context.seeds[1:], context.seeds[0]], strict=True))
    repeated = {
        seed: float(np.mean([rank_correlation(own[seed], own[following[seed]]) for own in values.values()]))
        for seed in rows
    }
    means = {name: np.array(list(own.values())).mean(0) for name, own in values.items()}
    best = {name: WEIGHTS[int(mean.argmin())] for name, mean in means.items()}
    table = Table(
        "Distances by weight of guidance, best at " + ", ".join(f"{best[name]:g} ({name})" for name in names),
        ("weight", *names),
        [(f"{weight:g}", *(f"{means[name][index]:.3g}" for name in names)) for index, weight in enumerate(WEIGHTS)],
    )
    curves = {name: (np.array(WEIGHTS), mean / mean.min()) for name, mean in means.items()}
    system, pictures = setting()
    prompts = prompts_of(pictures, chosen_pictures(pictures)[:: SAMPLES // SHOWN])
    shown = np.concatenate(
        [generate(system, prompts, sampling(system, weight), seed=context.seeds[0]) for weight in (1.0, 3.0, 8.0)]
    )
    return Evidence(
        "",
        [
            Measurement.over_seeds("rank correlation", correlation),
            Measurement.over_seeds("rank correlation of one distance, other noise", repeated),
        ],
        [
            table,
            Plot("Distances over their smallest", lines(curves, "weight of guidance", "ratio")),
            ImageGrid("Weights 1, 3 and 8, from above", shown / 255, columns=SHOWN),
        ],
    )


def rank_correlation(first: list[float], second: list[float]) -> float:
    """Spearman's correlation of two distances over the weights."""
    return float(np.asarray(spearmanr(first, second)[0]))
