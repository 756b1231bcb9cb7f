"""Plots that several papers draw, made without a display."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Numbers = Sequence[float] | Sequence[int] | npt.NDArray[Any]
Curve = tuple[Numbers, Numbers]

INK = "#1b1f3b"
# A longer legend is placed beside the axes.
MOST_INSIDE = 6
# matplotlib repeats its colours after ten curves.
NUM_COLORS = 10


def lines(
    curves: Mapping[str, Curve],
    x_label: str,
    y_label: str,
    *,
    log_x: bool = False,
    log_y: bool = False,
    bands: Mapping[str, Curve] | None = None,
    reference: tuple[str, float] | None = None,
) -> "Figure":
    """Named curves in one plot, with intervals around them.

    Args:
        curves: (x, y) by name.
        x_label: label of the horizontal axis, with its unit.
        y_label: label of the vertical axis, with its unit.
        log_x: logarithmic horizontal axis; to base 2 where every x is a power of two.
        log_y: logarithmic vertical axis.
        bands: (lower, upper) end of the interval at each x of a curve, by the curve's name.
        reference: name and height of a dashed horizontal line.
    """
    from matplotlib.figure import Figure

    beside = len(curves) > MOST_INSIDE
    figure = Figure(figsize=(7.2 if beside else 5.4, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for index, (name, (x, y)) in enumerate(curves.items()):
        style = "-" if index < NUM_COLORS else ":"
        (line,) = axes.plot(x, y, marker="o", markersize=3, linewidth=1.2, linestyle=style, label=name)
        if bands and name in bands:
            axes.fill_between(x, *bands[name], color=line.get_color(), alpha=0.2, linewidth=0)
    if reference is not None:
        axes.axhline(reference[1], color=INK, linewidth=0.9, linestyle="--", label=reference[0])
    if log_x:
        binary = all(value > 0 and math.log2(value).is_integer() for x, _ in curves.values() for value in x)
        axes.set_xscale("log", base=2 if binary else 10)
    if log_y:
        axes.set_yscale("log")
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.spines[["top", "right"]].set_visible(False)
    if beside:
        figure.legend(loc="outside right center", frameon=False, fontsize=8)
    elif any(curves) or reference is not None:  # an unnamed curve needs no legend
        axes.legend(frameon=False, fontsize=8)
    return figure


def lines_with_intervals(
    x: Numbers,
    curves: Mapping[str, Sequence[tuple[float, float, float]]],
    x_label: str,
    y_label: str,
    *,
    log_x: bool = True,
    reference: tuple[str, float] | None = None,
) -> "Figure":
    """`lines` for curves that share their x.

    Args:
        x: of every curve.
        curves: (mean, lower, upper) at each x, by name.
        x_label: label of the horizontal axis, with its unit.
        y_label: label of the vertical axis, with its unit.
        log_x: logarithmic horizontal axis.
        reference: name and height of a dashed horizontal line.
    """
    parts = {name: np.array(points).T for name, points in curves.items()}
    return lines(
        {name: (x, means) for name, (means, _, _) in parts.items()},
        x_label,
        y_label,
        log_x=log_x,
        bands={name: (lower, upper) for name, (_, lower, upper) in parts.items()},
        reference=reference,
    )
