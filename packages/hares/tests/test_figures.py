"""The radar plot has one closed line an embedding."""

import pytest
from onepaper.errors import UsageError

from hares.figures import radar


def test_radar() -> None:
    scores = {"a": {"x": 0.5, "y": 0.25, "z": 1.0}, "b": {"x": 0.1, "y": 0.2, "z": 0.3}}
    (axes,) = radar(scores).axes
    assert [line.get_label() for line in axes.lines] == ["a", "b"]
    assert list(axes.lines[0].get_ydata()) == [0.5, 0.25, 1.0, 0.5]
    for wrong in ({}, {"a": {"x": 1.0, "y": 1.0}}, {**scores, "c": {"x": 1.0, "z": 1.0, "y": 1.0}}):
        with pytest.raises(UsageError, match="at least 3"):
            radar(wrong)
