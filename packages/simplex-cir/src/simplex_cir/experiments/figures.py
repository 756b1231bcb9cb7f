"""Paths on the simplex of three categories, drawn without a display."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from onepaper.display.plots import FONT, INK, PALETTE, SMALL_FONT

_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])


def ternary(
    paths: Float[np.ndarray, "paths steps 3"], names: Sequence[str] = ("1", "2", "3"), title: str = ""
) -> Figure:
    """Paths on the simplex of three categories, as points of a triangle whose corners are the categories.

    A dot marks where each path begins, a ring where it ends. The lines inside are shares of a quarter, a half and three
    quarters of a category.
    """
    figure = Figure(figsize=(4.8, 4.7), layout="constrained")
    axes = figure.add_subplot()
    outline = _CORNERS[[0, 1, 2, 0]]
    axes.plot(outline[:, 0], outline[:, 1], color=INK, linewidth=0.9)
    for category in range(3):
        first, second = np.delete(np.eye(3), category, axis=0)
        for share in (0.25, 0.5, 0.75):
            corner = share * np.eye(3)[category]
            ends = np.stack([corner + (1 - share) * first, corner + (1 - share) * second]) @ _CORNERS
            axes.plot(ends[:, 0], ends[:, 1], color="#e3e4e6", linewidth=0.6, zorder=0)
    for index, path in enumerate(paths @ _CORNERS):
        color = PALETTE[index % len(PALETTE)]
        axes.plot(path[:, 0], path[:, 1], linewidth=0.9, alpha=0.85, color=color)
        axes.plot(*path[0], marker="o", markersize=5, color=color)
        axes.plot(*path[-1], marker="o", markersize=8, markerfacecolor="none", color=color, markeredgewidth=1.6)
    for corner, name, shift in zip(_CORNERS, names, ((-0.05, -0.05), (0.05, -0.05), (0.0, 0.05)), strict=True):
        axes.text(corner[0] + shift[0], corner[1] + shift[1], name, ha="center", va="center", fontsize=FONT)
    axes.set(aspect="equal")
    axes.set_title(title, fontsize=FONT, pad=14)
    axes.axis("off")
    ends = [
        Line2D([], [], color=INK, linewidth=0, marker="o", markersize=5, label="begin"),
        Line2D([], [], color=INK, linewidth=0, marker="o", markersize=8, markerfacecolor="none", label="end"),
    ]
    figure.legend(handles=ends, loc="outside lower center", ncols=2, frameon=False, fontsize=SMALL_FONT)
    return figure
