"""Plots over noise levels: statistics of a run, and the comparison of step sizes."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

ByLevel = Mapping[str, Float[np.ndarray, " levels"]]


def curves_by_level(fractions: ByLevel) -> Figure:
    """Curves of values from 0 to 1, high noise on the left; NaN is left out.

    Args:
        fractions: by the curve's name.
    """
    figure = Figure(figsize=(6.0, 3.2), layout="constrained")
    axes = _curves(figure.add_subplot(), fractions, "fraction")
    axes.set_ylim(0, 1.02)
    axes.legend(frameon=False, fontsize=9)
    return figure


def sweep_figure(acceptance: ByLevel, distances: ByLevel) -> Figure:
    """Acceptance, and squared jump distance per evaluation, over the levels; one curve for each step size.

    Args:
        acceptance: by the step size's name.
        distances: the same.
    """
    figure = Figure(figsize=(10.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _curves(left, acceptance, "acceptance").set_ylim(0, 1.02)
    _curves(right, distances, "squared distance / $\\sigma_t^2$, per evaluation").set_yscale("log")
    figure.legend(*left.get_legend_handles_labels(), loc="outside right center", title="step scale", frameon=False)
    return figure


def _curves(axes: Axes, curves: ByLevel, label: str) -> Axes:
    for name, values in curves.items():
        levels = np.flatnonzero(~np.isnan(values))
        axes.plot(levels, values[levels], marker=".", label=name)
    axes.invert_xaxis()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="noise level", ylabel=label)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes
