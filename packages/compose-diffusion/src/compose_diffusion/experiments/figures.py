"""Plots of samples over densities, made without a display."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from onepaper.display.plots import FONT, SAMPLES, SMALL_FONT, ordered_colors

Points = Float[np.ndarray, "num_samples 2"]
Grid = Float[np.ndarray, "points points"]

_COLUMNS = 3
# Nats below the maximum of the density.
_LEVELS = (-6.0, -4.0, -2.0, -0.5)


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
    figure = Figure(figsize=(2.4 * columns, 2.85 * rows + 0.4), layout="constrained")
    axis = np.linspace(-half_width, half_width, len(log_density))
    colors = ordered_colors(len(_LEVELS))[::-1]
    for index, (title, points) in enumerate(samples.items()):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.contour(
            axis, axis, log_density, levels=_LEVELS, colors=colors, linewidths=0.9, linestyles="solid", zorder=3
        )
        axes.scatter(points[:, 0], points[:, 1], s=4.0, c=SAMPLES, alpha=0.45, linewidths=0)
        ends = (-half_width, half_width)
        axes.set(xlim=ends, ylim=ends, aspect="equal", xticks=(-half_width, 0, half_width), yticks=ends)
        axes.tick_params(labelsize=SMALL_FONT - 1, labelleft=index % columns == 0, labelbottom=True)
        note = (notes or {}).get(title, "")
        axes.set_title(f"{title}\n{note}" if note else title, fontsize=FONT)
    handles = [
        Line2D([], [], color=SAMPLES, linewidth=0, marker="o", markersize=4, label="samples"),
        *(
            Line2D([], [], color=color, linewidth=1.2, label=f"{level:g}")
            for level, color in zip(_LEVELS, colors, strict=True)
        ),
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=3 if columns < 2 else 5,
        frameon=False,
        fontsize=SMALL_FONT,
        title="log density, nats below its maximum",
        title_fontsize=SMALL_FONT,
        columnspacing=1.0,
    )
    return figure
