"""What figures draw: lines, cells, bars and pixels."""

import io

import numpy as np
import pytest
from matplotlib.image import imread
from onepaper.errors import UsageError

from hares.figures import critical_difference, gap_matrix, radar, spectrogram_picture
from hares.probing.scores import Score


def test_radar() -> None:
    scores = {"a": {"x": 0.5, "y": 0.25, "z": 1.0}, "b": {"x": 0.1, "y": 0.2, "z": 0.3}}
    (axes,) = radar(scores).axes
    assert [line.get_label() for line in axes.lines] == ["a", "b"]
    assert list(axes.lines[0].get_ydata()) == [0.5, 0.25, 1.0, 0.5]
    for wrong in ({}, {"a": {"x": 1.0, "y": 1.0}}, {**scores, "c": {"x": 1.0, "z": 1.0, "y": 1.0}}):
        with pytest.raises(UsageError, match="at least 3"):
            radar(wrong)


def test_gap_matrix_has_a_cell_an_embedding_and_domain() -> None:
    gaps = {name: {domain: ("c", Score(0.1, 0.0, 0.2)) for domain in ("speech", "music")} for name in "ab"}
    (axes,) = gap_matrix(gaps).axes
    assert [text.get_text() for text in axes.texts] == ["+10.0%\n[+0.0%, +20.0%]"] * 4
    assert [label.get_text() for label in axes.get_xticklabels()] == ["speech", "music"]


def test_bars_join_ranks_that_do_not_differ() -> None:
    """Ranks 1, 2, 3.5, 3.5 over 40 tasks, with a difference of 0.74: one bar, for the last two."""
    scores = {
        "first": {str(task): 4.0 for task in range(40)},
        "second": {str(task): 3.0 for task in range(40)},
        "third": {str(task): float(task % 2) for task in range(40)},
        "fourth": {str(task): float(1 - task % 2) for task in range(40)},
    }
    (axes,) = critical_difference(scores).axes
    bars = [line.get_xdata() for line in axes.lines if line.get_linewidth() == 3]
    assert [list(bar) for bar in bars] == [[3.5, 3.5]]


def test_spectrogram_has_a_pixel_a_frame_and_band() -> None:
    time = np.arange(16_000) / 16_000
    picture = imread(io.BytesIO(spectrogram_picture(np.sin(2 * np.pi * 440 * time).astype(np.float32))))
    assert picture.shape[:2] == (80, 98)
    assert picture[:40, :, 0].mean() < picture[40:, :, 0].mean()  # low bands are below
