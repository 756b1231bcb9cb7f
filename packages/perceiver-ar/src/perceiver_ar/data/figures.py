"""Figures of sequences: piano rolls, grids of images, and copies, with what was given set apart."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from onepaper.display.plots import FONT, INK, SAMPLES, SMALL_FONT

from perceiver_ar.data.events import PITCHES, Note
from perceiver_ar.data.midi import piano_roll

# Resolution of a piano roll in a figure.
STEPS_PER_SECOND = 20
# Of the part of a figure that was given, the colour that pages have for given text.
_GIVEN = "#fff3d6"


def piano_roll_figure(*performances: Sequence[Note], given_seconds: float = 0.0) -> Figure:
    """Pitch over time, louder notes darker, one panel for each performance; six semitones of margin on both sides.

    Args:
        performances: the notes of each.
        given_seconds: the end of what was given, which is shaded.
    """
    figure = Figure(figsize=(6.4, 2.8 * len(performances)), layout="constrained")
    for number, notes in enumerate(performances):
        axes = figure.add_subplot(len(performances), 1, number + 1)
        roll = piano_roll(notes, STEPS_PER_SECOND)
        extent = (0.0, roll.shape[1] / STEPS_PER_SECOND, -0.5, PITCHES - 0.5)
        silent = np.ma.masked_equal(roll, 0)
        axes.imshow(
            silent, aspect="auto", cmap="Greys", vmin=-0.3, vmax=1, extent=extent, interpolation="nearest", zorder=2
        )
        if given_seconds:
            axes.axvspan(0, given_seconds, color=_GIVEN, zorder=0, label="given")
            axes.axvline(given_seconds, color=SAMPLES, linewidth=1.2, linestyle="--", label="generated from here")
            axes.legend(loc="lower right", fontsize=SMALL_FONT, framealpha=0.9)
        pitches = [note.pitch for note in notes] or [60]
        axes.set(xlim=extent[:2], ylim=(min(pitches) - 6, max(pitches) + 6))
        axes.set_xlabel("time, seconds", fontsize=FONT)
        axes.set_ylabel("MIDI pitch (60: middle C)", fontsize=FONT)
        axes.tick_params(labelsize=SMALL_FONT)
    return figure


def image_grid(images: UInt8[np.ndarray, "count height width channels"], levels: int, given_values: int = 0) -> Figure:
    """Images in a grid that is about square, each with a border.

    Args:
        images: values from 0 to `levels` - 1.
        levels: of a value.
        given_values: how many values at the beginning of each image, row by row, were given; a line sets them apart.
    """
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    figure = Figure(figsize=(1.2 * columns, 1.2 * rows + (0.25 if given_values else 0)), layout="constrained")
    for number, image in enumerate(images):
        axes = figure.add_subplot(rows, columns, number + 1)
        shown = image if image.shape[2] == 3 else image[:, :, 0]
        axes.imshow(shown / (levels - 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(color="#8a8f96", linewidth=0.8)
        if given_values:
            _end_of_given(axes, given_values // image.shape[2], image.shape[1])
    if given_values:
        figure.supxlabel("above the line: given", fontsize=SMALL_FONT)
    return figure


def _end_of_given(axes: Axes, pixels: int, width: int) -> None:
    """A line below and right of the last given pixel, as pixels follow one another along the rows."""
    row, column = divmod(pixels, width)
    x = [-0.5, column - 0.5, column - 0.5, width - 0.5]
    y = [row + 0.5, row + 0.5, row - 0.5, row - 0.5] if column else [row - 0.5] * 4
    axes.plot(x, y, color=SAMPLES, linewidth=2.0)


def copies_figure(tokens: Int[np.ndarray, "count symbols"]) -> Figure:
    """Sequences of the copy task: the given half, the copy that is expected, and the output, with errors crossed.

    Args:
        tokens: symbols from 0, both halves of each sequence.
    """
    given, output = np.split(tokens, 2, axis=1)
    expected = given[:, ::-1]
    figure = Figure(figsize=(5.4, 0.95 * len(tokens) + 0.4), layout="constrained")
    panels = figure.subplots(len(tokens), 1, squeeze=False)[:, 0]
    for axes, *rows in zip(panels, given, expected, output, strict=True):
        axes.imshow(np.stack(rows), cmap="cividis", vmin=0, vmax=max(int(tokens.max()), 1), aspect="auto")
        (wrong,) = np.nonzero(rows[1] != rows[2])
        axes.plot(wrong, np.full(len(wrong), 2), "x", color="white", markersize=8, markeredgewidth=3.5)
        axes.plot(wrong, np.full(len(wrong), 2), "x", color=SAMPLES, markersize=7, markeredgewidth=2)
        axes.set_xticks(np.arange(1, tokens.shape[1] // 2) - 0.5, minor=True)
        axes.set_yticks(np.arange(1, 3) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=0.8)
        axes.tick_params(which="both", length=0)
        axes.set_xticks([])
        axes.set_yticks(range(3), ["given", "expected", "output"], fontsize=SMALL_FONT)
        axes.spines[:].set_visible(False)
        axes.set_title(f"{len(wrong)} of {tokens.shape[1] // 2} wrong", fontsize=SMALL_FONT, color=INK, loc="right")
    figure.supxlabel("position in the copy; a colour is a symbol, a cross an error", fontsize=SMALL_FONT)
    return figure
