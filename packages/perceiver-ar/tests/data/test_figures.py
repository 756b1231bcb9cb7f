import numpy as np

from perceiver_ar.data.events import Note
from perceiver_ar.data.figures import image_grid, piano_roll_figure


def test_a_roll_shows_the_pitches_that_sound() -> None:
    (axes,) = piano_roll_figure([Note(60, 100, 0.0, 1.0), Note(72, 10, 1.0, 2.5)]).axes
    assert axes.get_ylim() == (54, 78)
    assert axes.get_xlim() == (0.0, 2.5)
    assert piano_roll_figure([]).axes


def test_a_grid_has_a_cell_for_each_image() -> None:
    grid = image_grid(np.full((5, 4, 4, 1), 16, np.uint8), 17)
    assert len(grid.axes) == 5
    assert grid.axes[0].images[0].get_array().max() == 1.0
