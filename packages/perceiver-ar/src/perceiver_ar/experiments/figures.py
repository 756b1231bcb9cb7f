"""Line plots of measurements."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

Numbers = Sequence[float] | Sequence[int] | np.ndarray


def lines(
    curves: Mapping[str, tuple[Numbers, Numbers]],
    x_label: str,
    y_label: str,
    *,
    log_x: bool = False,
    log_y: bool = False,
    bands: Mapping[str, tuple[Numbers, Numbers]] | None = None,
) -> Figure:
    """Named curves (x, y) in one plot, with bands between a lower and an upper curve where given."""
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for name, (x, y) in curves.items():
        (line,) = axes.plot(x, y, marker="o", markersize=3, label=name)
        if bands and name in bands:
            axes.fill_between(x, *bands[name], color=line.get_color(), alpha=0.2)
    if log_x:
        axes.set_xscale("log", base=2)
    if log_y:
        axes.set_yscale("log")
    axes.set(xlabel=x_label, ylabel=y_label)
    if len(curves) > 1:
        axes.legend(frameon=False, fontsize=8)
    return figure
