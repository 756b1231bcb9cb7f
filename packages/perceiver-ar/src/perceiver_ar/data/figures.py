"""Figures of sequences: piano rolls and grids of images."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure

from perceiver_ar.data.events import PITCHES, Note
from perceiver_ar.data.midi import piano_roll

# Resolution of a piano roll in a figure.
STEPS_PER_SECOND = 20


def piano_roll_figure(*performances: Sequence[Note]) -> Figure:
    """Pitch over time, louder notes darker, one panel for each performance; six semitones of margin on both sides."""
    figure = Figure(figsize=(9, 3 * len(performances)), layout="constrained")
    for number, notes in enumerate(performances):
        axes = figure.add_subplot(len(performances), 1, number + 1)
        roll = piano_roll(notes, STEPS_PER_SECOND)
        extent = (0.0, roll.shape[1] / STEPS_PER_SECOND, -0.5, PITCHES - 0.5)
        axes.imshow(roll, aspect="auto", cmap="Greys", vmin=0, vmax=1, extent=extent, interpolation="nearest")
        pitches = [note.pitch for note in notes] or [60]
        axes.set(xlabel="seconds", ylabel="MIDI pitch", ylim=(min(pitches) - 6, max(pitches) + 6))
    return figure


def image_grid(images: UInt8[np.ndarray, "count height width channels"], levels: int) -> Figure:
    """Images in a grid that is about square."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    figure = Figure(figsize=(1.2 * columns, 1.2 * rows), layout="constrained")
    for number, image in enumerate(images):
        axes = figure.add_subplot(rows, columns, number + 1)
        shown = image if image.shape[2] == 3 else image[:, :, 0]
        axes.imshow(shown / (levels - 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.axis("off")
    return figure
