"""C6: where noise leads a token's nearest neighbour, by the dimension of the embeddings. No network is trained."""

import functools

import jax
import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Note, Plot, Table
from onepaper.display.plots import lines

from sed.config import ScheduleConfig
from sed.data.documents import chapters
from sed.data.word_vectors import WordVectors, count_vectors
from sed.diffusion.embeddings import import_table
from sed.diffusion.neighbours import Walk, forward_walk
from sed.diffusion.schedule import Schedule

# Dimensions of the table, its full width last, and the steps.
DIMENSIONS, WIDTH = (16, 32, 64, 128, 384), 384
STEPS = np.arange(20, 1000, 40)

# Words that are noised, draws of noise for each, and the part of the vocabulary that counts as near.
STARTS, DRAWS, NEAR_SHARE = 64, 6, 0.006

SHOWN_WORD, SHOWN_DIMENSIONS = "sheep", (16, 384)


@functools.cache
def word_vectors() -> WordVectors:
    """Vectors of the words of the Bible from counts of their neighbours."""
    return count_vectors([document.text for document in chapters()], WIDTH)


def walk(dimension: int, seed: int) -> Walk:
    """Random words of the table of a dimension along the steps."""
    words, vectors = word_vectors()
    table = import_table(vectors, dimension)
    chosen = np.random.default_rng(seed).choice(len(words), STARTS, replace=False)
    schedule = Schedule.of(ScheduleConfig(beta_1_mode="none"))
    near = max(1, round(NEAR_SHARE * len(words)))
    return forward_walk(
        table,  # type: ignore[arg-type]
        schedule,
        np.repeat(chosen, DRAWS),
        STEPS,
        jax.random.key(seed),
        neighbours=near,
    )


def walks_by_dimension(context: ClaimContext) -> Evidence:
    """When half of the words have left themselves, and how many of these are at a related word."""
    walks = {(d, seed): walk(d, seed) for d in DIMENSIONS for seed in context.seeds}

    def measure(name: str, d: int, value: object) -> Measurement:
        return Measurement.over_seeds(f"{name}, D={d}", {seed: value(walks[d, seed]) for seed in context.seeds})  # type: ignore[operator]

    measured = [
        *(measure("near when half have left", d, Walk.near_when_half_left) for d in DIMENSIONS),
        *(measure("largest share near", d, Walk.largest_near) for d in DIMENSIONS),
        *(measure("step at which half have left", d, lambda walk: int(walk.steps[walk.half_left])) for d in DIMENSIONS),
    ]
    first = context.seeds[0]
    curves = {f"D={d}": (STEPS, walks[d, first].near.mean(axis=1)) for d in DIMENSIONS}
    rows = [(d, *(f"{measured[at + number].mean:.3f}" for at in (10, 0, 5))) for number, d in enumerate(DIMENSIONS)]
    return Evidence(
        "",
        measured,
        [
            Plot("Words whose nearest neighbour is a related word", lines(curves, "step t", "fraction of words")),
            Table("Walks", ("D", "step at which half have left", "of these near", "largest share near"), rows),
            Note("\n".join(f"D={d}: {shown_walk(d)}" for d in SHOWN_DIMENSIONS)),
        ],
    )


def shown_walk(dimension: int) -> str:
    """The different nearest words of one word along the steps, with the step at which each begins."""
    words, vectors = word_vectors()
    steps = np.arange(0, 1000, 10)
    steps[0] = 1
    found = forward_walk(
        import_table(vectors, dimension),  # type: ignore[arg-type]
        Schedule.of(ScheduleConfig(beta_1_mode="none")),
        np.array([words.index(SHOWN_WORD)]),
        steps,
        jax.random.key(0),
        neighbours=1,
    ).tokens[:, 0]
    changes = np.flatnonzero(np.diff(found, prepend=-1))
    return ", ".join(f"{words[found[at]]} ({steps[at]})" for at in changes[:12])
