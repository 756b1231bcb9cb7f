import numpy as np

from simplex_cir.experiments.figures import ternary


def test_corners_of_the_triangle_are_the_categories() -> None:
    paths = np.stack([np.eye(3), np.full((3, 3), 1 / 3)])
    axes = ternary(paths, names=("a", "b", "c")).axes[0]
    corners, centre = (line.get_xydata() for line in axes.lines if len(line.get_xydata()) == 3 and line.get_alpha())
    np.testing.assert_allclose(corners, [[0, 0], [1, 0], [0.5, np.sqrt(3) / 2]])
    np.testing.assert_allclose(centre, np.tile([0.5, np.sqrt(3) / 6], (3, 1)))
    assert [text.get_text() for text in axes.texts] == ["a", "b", "c"]
