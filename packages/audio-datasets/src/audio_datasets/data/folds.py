"""Folds in which no speaker, and no group of related speakers, is in two of them."""

import numpy as np
from jaxtyping import Int
from onepaper.errors import UsageError

from audio_datasets.data.clips import ClipSet


def group_folds(clips: ClipSet, folds: int) -> Int[np.ndarray, " clips"]:
    """Number of the fold of each clip: whole groups, the largest first, each into the fold with the fewest clips.

    Raises:
        UsageError: fewer groups than folds, or fewer than 2 folds.
    """
    groups = clips.groups()
    names, counts = np.unique(groups, return_counts=True)
    if not 2 <= folds <= len(names):
        raise UsageError(f"folds is {folds}, expected 2 to {len(names)}, the number of groups of '{clips.name}'")
    sizes, fold_of = np.zeros(folds, int), dict[str, int]()
    for position in np.lexsort((names, -counts)):
        smallest = int(sizes.argmin())
        fold_of[str(names[position])] = smallest
        sizes[smallest] += counts[position]
    return np.array([fold_of[group] for group in groups], np.int64)
