import numpy as np

from simplex_cir.experiments.figures import bars, ternary


def test_corners_of_the_triangle_are_the_categories() -> None:
    paths = np.stack([np.eye(3), np.full((3, 3), 1 / 3)])
    axes = ternary(paths, names=("a", "b", "c")).axes[0]
    corners, centre = (line.get_xydata() for line in axes.lines if len(line.get_xydata()) == 3)
    np.testing.assert_allclose(corners, [[0, 0], [1, 0], [0.5, np.sqrt(3) / 2]])
    np.testing.assert_allclose(centre, np.tile([0.5, np.sqrt(3) / 6], (3, 1)))
    assert [text.get_text() for text in axes.texts] == ["a", "b", "c"]


def test_bars_of_every_group() -> None:
    heights = [bar.get_height() for bar in bars({"p": [1, 2], "q": [3, 4]}, ["a", "b"], "y").axes[0].patches]
    assert heights == [1, 2, 3, 4]
