"""Plots hold the numbers that they are given."""

import numpy as np

from onepaper.display.plots import lines, lines_with_intervals


def test_lines() -> None:
    figure = lines({"a": ([1, 2, 4], [3, 2, 1]), "b": ([1, 2, 4], [1, 1, 1])}, "x", "y", log_x=True, reference=("r", 2))
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[1, 3], [2, 2], [4, 1]])
    assert list(axes.lines[2].get_ydata()) == [2, 2]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale(), axes.get_yscale()) == ("x", "y", "log", "linear")
    assert axes.xaxis.get_transform().base == 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b", "r"]


def test_long_legends_are_beside_and_unnamed_curves_have_none() -> None:
    many = lines({str(i): ([3, 5], [i, i]) for i in range(12)}, "x", "y", log_x=True, log_y=True)
    assert many.legends
    assert many.axes[0].get_legend() is None
    assert many.axes[0].xaxis.get_transform().base == 10
    styles = {(line.get_color(), line.get_linestyle()) for line in many.axes[0].lines}
    assert len(styles) == 12, "every curve looks different"
    assert lines({"": ([1, 2], [1, 2])}, "x", "y").axes[0].get_legend() is None


def test_intervals_are_bands() -> None:
    figure = lines_with_intervals([1, 10], {"a": [(2, 1, 3), (5, 4, 7)]}, "x", "y")
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [2, 5])
    corners = axes.collections[0].get_paths()[0].vertices
    assert {(x, y) for x, y in corners} == {(1, 1), (1, 3), (10, 4), (10, 7)}
