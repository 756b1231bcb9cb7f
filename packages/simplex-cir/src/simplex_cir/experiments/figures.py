"""Plots, made without a display: curves, histograms with densities, and paths on the simplex of three categories."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

_INK = "#1b1f3b"
_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])
Numbers = Sequence[float] | Sequence[int] | Float[np.ndarray, " count"]
Curve = tuple[Numbers, Numbers]


def lines(
    curves: Mapping[str, Curve], x_label: str, y_label: str, *, log_x: bool = False, log_y: bool = False
) -> Figure:
    """Curves (x, y) by name; the legend of more than six stands beside them."""
    beside = len(curves) > 6
    figure = Figure(figsize=(7.2 if beside else 5.4, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for index, (name, (x, y)) in enumerate(curves.items()):
        # Colours repeat after ten.
        axes.plot(x, y, marker=".", linewidth=1.2, linestyle="-" if index < 10 else ":", label=name)
    axes.set(xlabel=x_label, ylabel=y_label)
    if log_x:
        axes.set_xscale("log")
    if log_y:
        axes.set_yscale("log")
    if beside:
        figure.legend(loc="outside right center", frameon=False, fontsize=8)
    else:
        axes.legend(frameon=False, fontsize=8)
    return figure


def ternary(
    paths: Float[np.ndarray, "paths steps 3"], names: Sequence[str] = ("1", "2", "3"), title: str = ""
) -> Figure:
    """Paths on the simplex of three categories, as points of a triangle whose corners are the categories.

    A dot marks where each path begins, a ring where it ends.
    """
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    outline = _CORNERS[[0, 1, 2, 0]]
    axes.plot(outline[:, 0], outline[:, 1], color=_INK, linewidth=0.9)
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
