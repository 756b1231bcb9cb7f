"""Pictures: piano rolls, grids of images, curves."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure

from perceiver_ar.events import PITCHES, Note
from perceiver_ar.midi import piano_roll

Numbers = Sequence[float] | Sequence[int] | np.ndarray

# Of a drawn piano roll.
STEPS_PER_SECOND = 20


def piano_roll_figure(notes: Sequence[Note]) -> Figure:
    """Pitch over time, louder notes darker; the pitches that sound, and an octave of air."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.add_subplot()
    roll = piano_roll(notes, STEPS_PER_SECOND)
    extent = (0.0, roll.shape[1] / STEPS_PER_SECOND, -0.5, PITCHES - 0.5)
    axes.imshow(roll, aspect="auto", cmap="Greys", vmin=0, vmax=1, extent=extent, interpolation="nearest")
    pitches = [note.pitch for note in notes] or [60]
    axes.set(xlabel="seconds", ylabel="MIDI pitch", ylim=(min(pitches) - 6, max(pitches) + 6))
    return figure


def picture_grid(images: UInt8[np.ndarray, "count height width channels"], levels: int) -> Figure:
    """Images beside each other, about square."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    figure = Figure(figsize=(1.2 * columns, 1.2 * rows), layout="constrained")
    for number, image in enumerate(images):
        axes = figure.add_subplot(rows, columns, number + 1)
        shown = image if image.shape[2] == 3 else image[:, :, 0]
        axes.imshow(shown / (levels - 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.axis("off")
    return figure


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
