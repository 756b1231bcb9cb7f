"""Plots hold the numbers that they are given."""

import math

import numpy as np
from matplotlib.colors import to_rgb

from onepaper.display.plots import PALETTE, lines, lines_with_intervals, repetitions


def test_lines() -> None:
    figure = lines({"a": ([1, 2, 4], [3, 2, 1]), "b": ([1, 2, 4], [1, 1, 1])}, "x", "y", log_x=True, reference=("r", 2))
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[1, 3], [2, 2], [4, 1]])
    assert list(axes.lines[2].get_ydata()) == [2, 2]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale(), axes.get_yscale()) == ("x", "y", "log", "linear")
    assert axes.xaxis.get_transform().base == 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b", "r"]


def test_long_legends_are_below_and_unnamed_curves_have_none() -> None:
    many = lines({str(i): ([3, 5], [i + 1, i + 1]) for i in range(12)}, "x", "y", log_x=True, log_y=True)
    assert many.legends
    assert many.axes[0].get_legend() is None
    assert many.axes[0].xaxis.get_transform().base == 10
    styles = {(line.get_color(), line.get_linestyle()) for line in many.axes[0].lines}
    assert len(styles) == 12, "every curve looks different"
    assert lines({"": ([1, 2], [1, 2])}, "x", "y").axes[0].get_legend() is None
    assert lines({"_path": ([1, 2], [1, 2])}, "x", "y").axes[0].get_legend() is None


def test_a_theory_is_dashed_and_an_order_is_a_sequence_of_colours() -> None:
    curves = {name: ([1, 2], [1, 2]) for name in ("small", "theory", "middle", "large")}
    (axes,) = lines(curves, "x", "y", ordered=True, dashed=["theory"], vertical=("limit", 1.5)).axes
    assert [line.get_linestyle() for line in axes.lines] == ["-", "--", "-", "-", ":"]
    grey = [np.dot(line.get_color()[:3], [0.3, 0.59, 0.11]) for line in axes.lines if line.get_linestyle() == "-"]
    assert grey == sorted(grey)
    assert grey[-1] < 0.75, "legible on white"


def test_colours_differ_for_readers_without_red_or_green() -> None:
    # Machado, Oliveira and Fernandes (2009), matrices of severity 1 for linear RGB.
    protan = np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    )
    deutan = np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    )
    linear = np.array([to_rgb(color) for color in PALETTE]) ** 2.2
    for seen in (linear, linear @ protan.T, linear @ deutan.T):
        shown = np.clip(seen, 0, 1) ** (1 / 2.2)
        distances = np.linalg.norm(shown[:, None] - shown[None], axis=2)
        assert distances[~np.eye(len(PALETTE), dtype=bool)].min() > 0.1


def test_repetitions_are_points_beside_their_mean() -> None:
    figure = repetitions({"a": ([1, 2, 6], (3, 1, 5)), "b": ([4], (4, math.nan, math.nan))}, "loss, nats")
    (axes,) = figure.axes
    assert list(axes.lines[0].get_xdata()) == [1, 2, 6]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    (interval,) = axes.collections
    np.testing.assert_array_equal(interval.get_segments(), [[[1, 0], [5, 0]]])
    assert figure.get_supxlabel() == "loss, nats"


def test_intervals_are_bands() -> None:
    figure = lines_with_intervals([1, 10], {"a": [(2, 1, 3), (5, 4, 7)]}, "x", "y")
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [2, 5])
    corners = axes.collections[0].get_paths()[0].vertices
    assert {(x, y) for x, y in corners} == {(1, 1), (1, 3), (10, 4), (10, 7)}
