"""Figures of ratings."""

from onepaper.display.file_bytes import figure_png

from imagen3.human.figures import RatingRow, ratings_figure


def test_rows_and_names() -> None:
    first = {"a": RatingRow(1100, 1090, 1110, 1105.0), "b": RatingRow(900, 890, 910, 895.0)}
    figure = ratings_figure({"one": first, "two": dict(reversed(first.items()))}, "99% intervals")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["a", "b"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(names) == ["one", "printed", "two"]
    assert figure_png(figure).startswith(b"\x89PNG")
