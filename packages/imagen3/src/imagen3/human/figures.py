"""Ratings with intervals as a figure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float
from onepaper.display.plots import FONT, INK, MARKERS, PALETTE, SMALL_FONT, plot_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class RatingRow(NamedTuple):
    """A rating with the ends of its interval, and a value to compare it with."""

    elo: float
    low: float
    high: float
    printed: float | None = None


def ratings_figure(boards: Mapping[str, Mapping[str, RatingRow]], interval: str) -> "Figure":
    """A row for each model, in the order of the first board, and a colour for each board.

    Args:
        boards: ratings by title of the board and model.
        interval: what the bars are.
    """
    models = list(next(iter(boards.values())))
    figure, axes = plot_axes("", "", height=1.4 + (0.2 + 0.22 * len(boards)) * len(models))
    figure.supxlabel("rating in Elo points", fontsize=FONT)
    for index, (title, rows) in enumerate(boards.items()):
        places = [models.index(model) + 0.22 * (index - (len(boards) - 1) / 2) for model in rows]
        values: Float[np.ndarray, "rows 3"] = np.array([row[:3] for row in rows.values()])
        ends = np.abs(values[:, 1:] - values[:, :1]).T
        color, marker = PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
        axes.errorbar(values[:, 0], places, xerr=ends, fmt=marker, color=color, markersize=4, capsize=3, label=title)
        compared = [(row.printed, place) for row, place in zip(rows.values(), places, strict=True) if row.printed]
        if compared:
            axes.plot(*zip(*compared, strict=True), "|", color=INK, markersize=9, label=None if index else "printed")
    axes.set_yticks(range(len(models)), models, fontsize=SMALL_FONT)
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=SMALL_FONT, title=interval)
    return figure
