import numpy as np

from perceiver_ar.data.events import Note
from perceiver_ar.data.figures import copies_figure, image_grid, piano_roll_figure


def test_a_roll_shows_the_pitches_that_sound() -> None:
    (axes,) = piano_roll_figure([Note(60, 100, 0.0, 1.0), Note(72, 10, 1.0, 2.5)]).axes
    assert axes.get_ylim() == (54, 78)
    assert axes.get_xlim() == (0.0, 2.5)
    assert piano_roll_figure([]).axes


def test_a_grid_has_a_cell_for_each_image() -> None:
    grid = image_grid(np.full((5, 4, 4, 1), 16, np.uint8), 17)
    assert len(grid.axes) == 5
    assert grid.axes[0].images[0].get_array().max() == 1.0


def test_what_was_given_is_set_apart() -> None:
    (axes,) = piano_roll_figure([Note(60, 100, 0.0, 1.0), Note(72, 10, 1.0, 2.5)], given_seconds=1.0).axes
    assert list(axes.lines[0].get_xdata()) == [1.0, 1.0]
    shaded = axes.patches[0].get_extents().transformed(axes.transData.inverted())
    np.testing.assert_allclose((shaded.x0, shaded.x1), (0.0, 1.0), atol=1e-9)
    # 18 values of 3 channels: six pixels of rows of four, a row and a half.
    (image,) = image_grid(np.zeros((1, 4, 4, 3), np.uint8), 17, given_values=18).axes
    assert image.lines[0].get_xydata().tolist() == [[-0.5, 1.5], [1.5, 1.5], [1.5, 0.5], [3.5, 0.5]]
    assert not image_grid(np.zeros((1, 4, 4, 3), np.uint8), 17).axes[0].lines


def test_errors_of_copies_are_crossed() -> None:
    figure = copies_figure(np.array([[1, 2, 3, 3, 2, 1], [1, 2, 3, 3, 5, 4]]))
    right, wrong = figure.axes
    np.testing.assert_array_equal(wrong.images[0].get_array(), [[1, 2, 3], [3, 2, 1], [3, 5, 4]])
    assert list(wrong.lines[0].get_xdata()) == [1, 2]
    assert len(right.lines[0].get_xdata()) == 0
    assert wrong.get_title(loc="right") == "2 of 3 wrong"
