"""Figures of an evaluation."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from onepaper.display.plots import FONT, MARKERS, PALETTE, SMALL_FONT, WIDTH
from onepaper.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FEWEST = 3


def radar(scores: Mapping[str, Mapping[str, float]]) -> "Figure":
    """One closed line an embedding over an axis a task, from 0 at the centre to 1.

    Args:
        scores: embedding -> task -> accuracy, of the same tasks in the same order.

    Raises:
        UsageError: no embeddings, fewer than three tasks, or embeddings with different tasks.
    """
    tasks: Sequence[str] = list(next(iter(scores.values()), {}))
    if len(tasks) < _FEWEST or any(list(values) != tasks for values in scores.values()):
        raise UsageError(f"{len(tasks)} tasks; a radar plot needs at least {_FEWEST}, the same for all embeddings")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, WIDTH), layout="constrained")
    axes = figure.add_subplot(projection="polar")
    angles = np.linspace(0, 2 * np.pi, len(tasks), endpoint=False)
    for index, (name, values) in enumerate(scores.items()):
        closed = [*values.values(), next(iter(values.values()))]
        colour, marker = PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
        axes.plot([*angles, angles[0]], closed, color=colour, marker=marker, markersize=4, label=name)
    axes.set_xticks(angles, tasks, fontsize=FONT)
    axes.set_ylim(0, 1)
    axes.tick_params(axis="y", labelsize=SMALL_FONT)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=2, fontsize=SMALL_FONT, frameon=False)
    return figure
