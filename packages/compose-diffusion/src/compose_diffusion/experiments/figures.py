"""Plots of samples over densities, made without a display."""

from collections.abc import Mapping

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
        axes.contour(
            axis, axis, log_density, levels=_LEVELS, colors=_INK, linewidths=0.6, alpha=0.6, linestyles="solid"
        )
        axes.scatter(points[:, 0], points[:, 1], s=2.0, c=_CLOUD, alpha=0.35, linewidths=0)
        axes.set(xlim=(-half_width, half_width), ylim=(-half_width, half_width), aspect="equal", xticks=[], yticks=[])
        note = (notes or {}).get(title, "")
        axes.set_title(f"{title}\n{note}" if note else title, fontsize=9)
    return figure
