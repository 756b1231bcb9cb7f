"""Ratings with intervals as a figure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float
from onepaper.display.plots import FONT, INK, MARKERS, PALETTE, SMALL_FONT, plot_axes

from imagen3.human.elo import Ends, Ratings

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class BoardBars(NamedTuple):
    """Ratings with the ends of their intervals, and values to compare them with."""

    ratings: Ratings
    ends: Ends
    printed: Float[np.ndarray, " models"] | None = None


def ratings_figure(boards: Mapping[str, BoardBars], interval: str) -> "Figure":
    """A row for each model, the best one of the first board on top, and a colour for each board.

    Args:
        boards: of the same models, by title.
        interval: what the bars are.
    """
    ratings = next(iter(boards.values())).ratings
    models = [ratings.models[index] for index in ratings.order()]
    figure, axes = plot_axes("", "", height=1.4 + (0.2 + 0.22 * len(boards)) * len(models))
    figure.supxlabel("rating in Elo points", fontsize=FONT)
    for index, (title, (own, (low, high), printed)) in enumerate(boards.items()):
        rows = np.array([models.index(model) for model in own.models]) + 0.22 * (index - (len(boards) - 1) / 2)
        marker, color = MARKERS[index % len(MARKERS)], PALETTE[index % len(PALETTE)]
        bars = np.abs([low - own.elo, high - own.elo])
        axes.errorbar(own.elo, rows, xerr=bars, fmt=marker, color=color, markersize=4, capsize=3, label=title)
        if printed is not None:
            axes.plot(printed, rows, "|", color=INK, markersize=9, label=None if index else "printed")
    axes.set_yticks(range(len(models)), models, fontsize=SMALL_FONT)
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=SMALL_FONT, title=interval)
    return figure
