"""Plots over noise levels: statistics of a run, and the comparison of step sizes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from onepaper.display.plots import (
    FONT,
    MARKERS,
    PALETTE,
    SMALL_FONT,
    WIDTH,
    ordered_colors,
    place_legend,
    plot_axes,
    style_axes,
)

ByLevel = Mapping[str, Float[np.ndarray, " levels"]]


def curves_by_level(fractions: ByLevel) -> Figure:
    """Curves of values from 0 to 1, high noise on the left; NaN is left out.

    Args:
        fractions: by the curve's name.
    """
    figure, axes = plot_axes("noise level (0 is data)", "fraction")
    _curves(axes, fractions, PALETTE)
    axes.set_ylim(0, 1.02)
    place_legend(axes)
    return figure


def sweep_figure(acceptance: ByLevel, distances: ByLevel) -> Figure:
    """Acceptance, and squared jump distance per evaluation, over the levels; one curve for each step size.

    Args:
        acceptance: by the step size's name.
        distances: the same.
    """
    figure = Figure(figsize=(WIDTH, 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    colors = ordered_colors(len(acceptance))
    for axes, curves, label in (
        (above, acceptance, "acceptance"),
        (below, distances, "squared distance / $\\sigma_t^2$,\nper evaluation"),
    ):
        style_axes(axes)
        _curves(axes, curves, colors)
        axes.set_ylabel(label, fontsize=FONT)
    above.set_ylim(0, 1.02)
    below.set_yscale("log")
    below.set_xlabel("noise level (0 is data)", fontsize=FONT)
    figure.legend(
        *above.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=4,
        title="step scale",
        frameon=False,
        fontsize=SMALL_FONT,
        title_fontsize=SMALL_FONT,
    )
    return figure


def _curves(axes: Axes, curves: ByLevel, colors: Sequence[Any]) -> None:
    for index, (name, values) in enumerate(curves.items()):
        levels = np.flatnonzero(~np.isnan(values))
        marker, color = MARKERS[index % len(MARKERS)], colors[index % len(colors)]
        axes.plot(levels, values[levels], marker=marker, markersize=3.5, linewidth=1.2, color=color, label=name)
    axes.xaxis.set_inverted(True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
