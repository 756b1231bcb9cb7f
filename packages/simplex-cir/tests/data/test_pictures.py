import numpy as np

from simplex_cir.config import LETTERS, ModelConfig
from simplex_cir.data.pictures import images, picture
from simplex_cir.data.sequences import splice_sites
from simplex_cir.data.sudoku import small_sudokus


def test_the_symbols_decide_the_kind_of_figure(tmp_path) -> None:
    sites = splice_sites().train[:200]
    logo = picture(sites[:50], ModelConfig(), sites)
    assert logo is not None
    assert [axes.get_title() for axes in logo.axes] == ["drawn, 50 sequences", "data, 200 sequences"]
    # Position 4 is always G: two bits. Of a logo the stack's height is the end of its axis at most.
    logo.savefig(tmp_path / "logo.png")
    grids = picture(small_sudokus()[:10], ModelConfig("1234", positions=16, layout="grid"))
    assert grids is not None
    assert "100.0% of 10 grids" in grids.get_suptitle()
    assert sum(axes.get_visible() for axes in grids.axes) == 10
    assert picture(np.zeros((2, 8), int), ModelConfig(LETTERS, positions=8)) is None


def test_images_are_black_on_white() -> None:
    tokens = np.zeros((2, 64), int)
    tokens[0, 8] = 1  # second row, first column
    squares = images(tokens)
    assert squares.shape == (2, 8, 8)
    assert squares[0, 1, 0] == 0
    assert squares.sum() == 127
    sheet = picture(tokens, ModelConfig(".#", positions=64))
    assert sheet is not None
    assert sheet.axes[0].images[0].get_array().shape == (10, 19)


def test_known_positions_are_shaded() -> None:
    known = np.array([1, 0, -1, -1, -1, -1, -1, -1, -1])
    logo = picture(splice_sites().train[:50], ModelConfig(), splice_sites().train, known)
    assert logo is not None
    drawn, data = ([patch for patch in axes.patches if patch.get_zorder() == -1] for axes in logo.axes)
    assert [patch.get_x() for patch in drawn] == [0.5, 1.5]
    assert not data
    grid = np.full(16, -1)
    grid[5] = 2
    (axes,) = (
        axes for axes in picture(small_sudokus()[:1], ModelConfig("1234", positions=16, layout="grid"), None, grid).axes
    )
    (cell,) = axes.collections
    assert cell.get_paths()[0].get_extents().bounds == (1, 1, 1, 1)
