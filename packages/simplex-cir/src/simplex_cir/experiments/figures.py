"""Plots, made without a display: paths on the simplex of three categories, and groups of bars."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from onepaper.display.plots import INK, Numbers

_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])


def ternary(
    paths: Float[np.ndarray, "paths steps 3"], names: Sequence[str] = ("1", "2", "3"), title: str = ""
) -> Figure:
    """Paths on the simplex of three categories, as points of a triangle whose corners are the categories.

    A dot marks where each path begins, a ring where it ends.
    """
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    outline = _CORNERS[[0, 1, 2, 0]]
    axes.plot(outline[:, 0], outline[:, 1], color=INK, linewidth=0.9)
    for path in paths @ _CORNERS:
        (line,) = axes.plot(path[:, 0], path[:, 1], linewidth=0.7, alpha=0.8)
        axes.plot(*path[0], marker="o", markersize=4, color=line.get_color())
        axes.plot(*path[-1], marker="o", markersize=7, markerfacecolor="none", color=line.get_color())
    for corner, name, shift in zip(_CORNERS, names, ((-0.04, -0.05), (0.04, -0.05), (0.0, 0.04)), strict=True):
        axes.text(corner[0] + shift[0], corner[1] + shift[1], name, ha="center", va="center")
    axes.set(aspect="equal", title=title)
    axes.axis("off")
    return figure


def bars(heights: Mapping[str, Numbers], labels: Sequence[str], y_label: str) -> Figure:
    """Groups of bars side by side, one group for each label."""
    figure = Figure(figsize=(max(4.0, 0.45 * len(labels) + 2), 3.2), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(heights)
    for index, (name, values) in enumerate(heights.items()):
        axes.bar(np.arange(len(labels)) + (index - (len(heights) - 1) / 2) * width, values, width, label=name)
    axes.set_xticks(np.arange(len(labels)), labels)
    axes.set(ylabel=y_label)
    axes.legend(frameon=False, fontsize=8)
    return figure
