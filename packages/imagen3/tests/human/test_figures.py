"""Figures of ratings."""

import numpy as np
from onepaper.display.file_bytes import figure_png

from imagen3.human.elo import Ratings
from imagen3.human.figures import BoardBars, ratings_figure


def test_rows_and_names() -> None:
    elo = np.array([900.0, 1100.0])
    first = Ratings(("a", "b"), elo, np.array([3.0, 4.0]))
    second = Ratings(("b", "a"), elo, np.array([3.0, 4.0]))
    boards = {"one": BoardBars(first, first.interval(), elo + 5), "two": BoardBars(second, second.interval())}
    figure = ratings_figure(boards, "99% intervals")
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"]
    assert sorted(text.get_text() for text in figure.legends[0].get_texts()) == ["one", "printed", "two"]
    bars = {container.get_label(): container.lines[0] for container in axes.containers}
    np.testing.assert_allclose(bars["two"].get_xydata(), [(900, 0.11), (1100, 1.11)])
    assert figure_png(figure).startswith(b"\x89PNG")
