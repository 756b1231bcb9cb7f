"""Plots of samples over densities and of sweeps, made without a display."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

Points = Float[np.ndarray, "num_samples 2"]
Grid = Float[np.ndarray, "points points"]

_COLUMNS = 4
_INK, _CLOUD, _LEVELS = "#1b1f3b", "#d1495b", (-6.0, -4.0, -2.0, -0.5)


def samples_over_density(
    samples: Mapping[str, Points], log_density: Grid, half_width: float = 1.0, notes: Mapping[str, str] | None = None
) -> Figure:
    """One panel for each sampler: samples as points over contours of the composed log density.

    Args:
        samples: points by the panel's title.
        log_density: on a square grid of [-half_width, half_width], 0 at its maximum.
        half_width: of the grid and of every panel.
        notes: a line below a panel's title.
    """
    rows = -(-len(samples) // _COLUMNS)
    columns = min(len(samples), _COLUMNS)
    figure = Figure(figsize=(2.6 * columns, 2.85 * rows), layout="constrained")
    axis = np.linspace(-half_width, half_width, len(log_density))
    for index, (title, points) in enumerate(samples.items()):
        axes = figure.add_subplot(rows, columns, index + 1)
        lines = {"colors": _INK, "linewidths": 0.6, "alpha": 0.6, "linestyles": "solid"}
        axes.contour(axis, axis, log_density, levels=_LEVELS, **lines)
        axes.scatter(points[:, 0], points[:, 1], s=2.0, c=_CLOUD, alpha=0.35, linewidths=0)
        axes.set(xlim=(-half_width, half_width), ylim=(-half_width, half_width), aspect="equal", xticks=[], yticks=[])
        note = (notes or {}).get(title, "")
        axes.set_title(f"{title}\n{note}" if note else title, fontsize=9)
    return figure


def lines_with_intervals(
    x: Sequence[float | int],
    lines: Mapping[str, Sequence[tuple[float, float, float]]],
    x_label: str,
    y_label: str,
    *,
    log_x: bool = True,
    reference: tuple[str, float] | None = None,
) -> Figure:
    """Curves with 95% intervals.

    Args:
        x: x coordinates of the points.
        lines: for each curve, (mean, low, high) at each x.
        x_label: label of the x axis.
        y_label: label of the y axis.
        log_x: logarithmic x axis.
        reference: name and value of a dashed horizontal line.
    """
    figure = Figure(figsize=(6.0, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for index, (name, points) in enumerate(lines.items()):
        means, lows, highs = (np.array(part) for part in zip(*points, strict=True))
        axes.plot(x, means, marker="o", markersize=4, color=f"C{index}", label=name)
        axes.fill_between(x, lows, highs, color=f"C{index}", alpha=0.18, linewidth=0)
    if reference is not None:
        axes.axhline(reference[1], color=_INK, linewidth=0.9, linestyle="--", label=reference[0])
    if log_x:
        axes.set_xscale("log")
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.legend(frameon=False, fontsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure
