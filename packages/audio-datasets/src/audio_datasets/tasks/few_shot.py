"""The few-shot protocol: some labelled clips of each speaker to adapt to, then the others (paper, section 3.3)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from onepaper.config import check_positive
from onepaper.errors import UsageError


class Episode(NamedTuple):
    """One speaker: rows of the clips that a model may adapt to, and of those that it then predicts."""

    speaker: str
    support: Int[np.ndarray, " shots"]
    queries: Int[np.ndarray, " queries"]


def episodes(speakers: Sequence[str], shots: int = 2, seed: int | None = None) -> list[Episode]:
    """One episode for each speaker with more than `shots` clips, in alphabetical order.

    Args:
        speakers: of the clips of one split.
        shots: clips of each speaker with labels.
        seed: draws them; None takes the first ones, in the order of the clips.

    Raises:
        UsageError: a clip without a speaker, or no speaker with more than `shots` clips.
    """
    check_positive("shots", shots)
    names = np.asarray(speakers)
    if not len(names) or "" in speakers:
        raise UsageError("clips without a speaker; the few-shot task needs one for every clip of the split")
    generator = None if seed is None else np.random.default_rng(seed)
    found = []
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        if generator is not None:
            rows = generator.permutation(rows)
        if len(rows) > shots:
            found.append(Episode(str(name), np.sort(rows[:shots]), np.sort(rows[shots:])))
    if not found:
        raise UsageError(f"no speaker has more than {shots} clips; expected at least {shots + 1} of one")
    return found
