import numpy as np

from perceiver_ar.events import Note
from perceiver_ar.figures import lines, piano_roll_figure, picture_grid


def test_a_roll_shows_the_pitches_that_sound() -> None:
    (axes,) = piano_roll_figure([Note(60, 100, 0.0, 1.0), Note(72, 10, 1.0, 2.5)]).axes
    assert axes.get_ylim() == (54, 78)
    assert axes.get_xlim() == (0.0, 2.5)
    assert piano_roll_figure([]).axes


def test_a_grid_has_a_cell_for_each_image() -> None:
    grid = picture_grid(np.full((5, 4, 4, 1), 16, np.uint8), 17)
    assert len(grid.axes) == 5
    assert grid.axes[0].images[0].get_array().max() == 1.0


def test_curves_and_bands() -> None:
    (axes,) = lines({"a": ([1, 2], [3, 4]), "b": ([1, 2], [1, 1])}, "x", "y", log_x=True, log_y=True,
                    bands={"a": ([2, 3], [4, 5])}).axes  # fmt: skip
    assert [line.get_label() for line in axes.lines] == ["a", "b"]
    assert len(axes.collections) == 1
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
