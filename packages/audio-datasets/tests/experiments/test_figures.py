"""Pictures and sounds of the claims."""

import numpy as np
from onepaper.claims import Plot, Sound

from audio_datasets.data.clips import Clip, ClipSet
from audio_datasets.experiments.figures import HEARD, draw_confusion, listen


def test_confusion_is_in_percent_of_the_rows() -> None:
    figure = draw_confusion(np.array([[3, 1], [0, 0]]), ("a", "b"))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["75", "25", "0", "0"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]


def test_the_shortest_clip_of_a_class_is_heard(sounds: ClipSet) -> None:
    clips = tuple(
        Clip(f"{label}-{seconds}", sounds.clips[0].path, "one", label=label, text=f"{seconds}", seconds=seconds)
        for label in HEARD
        for seconds in (0.3, 0.2)
    )
    picture, *heard = listen(ClipSet("x", (*clips, clips[0]._replace(id="other", speaker="two", seconds=0.1))))
    assert isinstance(picture, Plot)
    assert len(picture.figure.axes) == len(HEARD)
    assert [len(each.samples) for each in heard if isinstance(each, Sound)] == [3200] * len(HEARD)
    assert [each.title for each in heard] == [f"{label}: 0.2" for label in HEARD]
