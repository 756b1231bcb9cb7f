"""Plots in one style, made without a display: colours that colour-blind readers distinguish, legible on a phone."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Numbers = Sequence[float] | Sequence[int] | npt.NDArray[Any]
Curve = tuple[Numbers, Numbers]
Estimate = tuple[float, float, float]
"""mean, low and high end of its interval"""

INK = "#1b1f3b"
# Okabe and Ito (2008), "Color Universal Design", without the yellow, which is faint on white.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b6b6b")
SAMPLES = "#d55e00"
# Markers differ too, for print without colours, and line styles where colours repeat.
MARKERS = ("o", "s", "^", "D", "v")
STYLES = ("-", "--", ":")
# A figure is as wide as a page's column; a phone shows it at two thirds of its size.
WIDTH = 5.4
FONT, SMALL_FONT = 11, 10
# A longer legend is placed below the axes.
MOST_INSIDE = 4
# Points of more values are not marked.
MOST_MARKED = 30
CONFIDENCE_LABEL = "95% interval"


def ordered_colors(count: int) -> list[Any]:
    """Colours for quantities that have an order, such as sizes: from dark to light, legible on white."""
    from matplotlib import colormaps

    return [colormaps["viridis"](value) for value in np.linspace(0, 0.82, count)]


def plot_axes(x_label: str, y_label: str, *, height: float = 3.4) -> "tuple[Figure, Axes]":
    """A figure with one pair of axes in the common style."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    style_axes(axes)
    axes.set_xlabel(x_label, fontsize=FONT)
    axes.set_ylabel(y_label, fontsize=FONT)
    return figure, axes


def style_axes(axes: "Axes") -> None:
    """The common style: no frame, a light grid, legible numbers."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e3e4e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=SMALL_FONT)


def place_legend(axes: "Axes", title: str | None = None) -> None:
    """A legend inside the axes, or below them where it is long; none where no curve has a name."""
    handles, labels = axes.get_legend_handles_labels()
    style: dict[str, Any] = {"frameon": False, "fontsize": SMALL_FONT, "title": title, "title_fontsize": SMALL_FONT}
    if len(labels) > MOST_INSIDE:
        columns = 1 if max(map(len, labels)) > 28 else 2 if max(map(len, labels)) > 14 else 3
        # Of a subfigure the whole; `get_figure(root=True)` is newer than the oldest matplotlib that is admitted.
        figure = axes.figure.figure
        figure.set_figheight(figure.get_figheight() + 0.2 * -(-len(labels) // columns))
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, **style)
    elif labels:
        axes.legend(**style)


def lines(
    curves: Mapping[str, Curve],
    x_label: str,
    y_label: str,
    *,
    log_x: bool = False,
    log_y: bool = False,
    bands: Mapping[str, Sequence[Numbers]] | None = None,
    band_label: str = CONFIDENCE_LABEL,
    reference: tuple[str, float] | None = None,
    vertical: tuple[str, float] | None = None,
    dashed: Collection[str] = (),
    ordered: bool = False,
    legend_title: str | None = None,
) -> "Figure":
    """Named curves in one plot, with intervals around them.

    Args:
        curves: (x, y) by name; a name that begins with `_` is not in the legend.
        x_label: label of the horizontal axis, with its unit.
        y_label: label of the vertical axis, with its unit.
        log_x: logarithmic horizontal axis; to base 2 where every x is a power of two.
        log_y: logarithmic vertical axis.
        bands: (lower, upper) end of the interval at each x of a curve, by the curve's name.
        band_label: what the bands are.
        reference: name and height of a dashed horizontal line.
        vertical: name and position of a dotted vertical line.
        dashed: names of curves that are not measured, such as a theory; drawn dashed and without markers.
        ordered: whether the order of the curves is that of a quantity, shown by a sequence of colours.
        legend_title: the quantity that the names are values of.
    """
    figure, axes = plot_axes(x_label, y_label)
    measured = [name for name in curves if name not in dashed]
    colors = ordered_colors(len(measured)) if ordered else [PALETTE[i % len(PALETTE)] for i in range(len(measured))]
    for name, (x, y) in curves.items():
        if name in dashed:
            axes.plot(x, y, color=INK, linewidth=1.1, linestyle="--", label=name)
            continue
        index = measured.index(name)
        marker = MARKERS[index % len(MARKERS)] if len(x) <= MOST_MARKED else None
        style = STYLES[index // len(PALETTE) % len(STYLES)] if not ordered else "-"
        color = colors[index]
        axes.plot(x, y, color=color, marker=marker, markersize=4, linewidth=1.4, linestyle=style, label=name)
        if bands and name in bands:
            low, high = bands[name]
            axes.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)
    if bands:
        axes.fill_between([], [], color=INK, alpha=0.2, linewidth=0, label=band_label)
    if reference is not None:
        axes.axhline(reference[1], color=INK, linewidth=1.0, linestyle="--", label=reference[0])
    if vertical is not None:
        axes.axvline(vertical[1], color=INK, linewidth=1.0, linestyle=":", label=vertical[0])
    if log_x:
        binary = all(value > 0 and math.log2(value).is_integer() for x, _ in curves.values() for value in x)
        axes.set_xscale("log", base=2 if binary else 10)
        if binary:
            _plain_powers(axes)
    if log_y:
        axes.set_yscale("log")
    place_legend(axes, legend_title)
    return figure


def _plain_powers(axes: "Axes") -> None:
    """16 and 1,024 instead of powers of two."""
    from matplotlib.ticker import FuncFormatter

    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}" if value < 1 else f"{value:,.0f}"))


def lines_with_intervals(
    x: Numbers,
    curves: Mapping[str, Sequence[Estimate]],
    x_label: str,
    y_label: str,
    *,
    log_x: bool = True,
    log_y: bool = False,
    band_label: str = CONFIDENCE_LABEL,
    reference: tuple[str, float] | None = None,
    vertical: tuple[str, float] | None = None,
) -> "Figure":
    """`lines` for curves that share their x.

    Args:
        x: of every curve.
        curves: (mean, lower, upper) at each x, by name.
        x_label: label of the horizontal axis, with its unit.
        y_label: label of the vertical axis, with its unit.
        log_x: logarithmic horizontal axis.
        log_y: logarithmic vertical axis.
        band_label: what (lower, upper) is.
        reference: name and height of a dashed horizontal line.
        vertical: name and position of a dotted vertical line.
    """
    parts = {name: np.array(points).T for name, points in curves.items()}
    return lines(
        {name: (x, means) for name, (means, _, _) in parts.items()},
        x_label,
        y_label,
        log_x=log_x,
        log_y=log_y,
        bands={name: (lower, upper) for name, (_, lower, upper) in parts.items()},
        band_label=band_label,
        reference=reference,
        vertical=vertical,
    )


def repetitions(values: Mapping[str, tuple[Numbers, Estimate]], label: str) -> "Figure":
    """A row for each name: the repetitions as points, their mean with its interval as a bar.

    Args:
        values: (one value a repetition, (mean, lower, upper)) by name.
        label: of the values, with their unit.
    """
    figure, axes = plot_axes("", "", height=1.2 + 0.42 * len(values))
    figure.supxlabel(label, fontsize=FONT)  # centred below the figure, as the names make the axes narrow
    for row, (found, (mean, low, high)) in enumerate(values.values()):
        axes.plot(found, [row] * len(found), "o", color=PALETTE[0], markersize=5, alpha=0.6, linewidth=0,
                  label="repetitions" if row == 0 else None)  # fmt: skip
        ends = [[max(mean - low, 0)], [max(high - mean, 0)]] if math.isfinite(low + high) else None
        axes.errorbar([mean], [row], xerr=ends, fmt="D", color=INK, markersize=5, capsize=4, linewidth=1.4,
                      label=f"mean, {CONFIDENCE_LABEL}" if row == 0 else None)  # fmt: skip
    axes.set_yticks(range(len(values)), list(values), fontsize=SMALL_FONT)
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=SMALL_FONT)
    return figure
