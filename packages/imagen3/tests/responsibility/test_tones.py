"""CIELAB by known colours, and tones of recoloured emoji."""

import numpy as np
import pytest

from imagen3.data.emoji import emoji, emoji_pictures
from imagen3.responsibility import tones


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0, 0)),
    ],
)
def test_lab(colour: tuple[int, int, int], expected: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(tones.to_lab(np.array(colour, np.uint8)), expected, atol=0.02)


def test_tones_are_apart() -> None:
    colours = tones.to_lab(np.array([tones.NEUTRAL, *tones.TONES.values()], np.uint8))
    distances = np.linalg.norm(colours[:, None] - colours, axis=-1)
    assert distances[np.triu_indices(6, 1)].min() > tones.NEAR
    assert set(tones.MONK) == set(tones.TONES)


def test_recoloured_people() -> None:
    people = [number for number, own in enumerate(emoji()) if own.name in ("waving hand", "thumbs up", "ear", "baby")]
    assert len(people) == 4
    for number in people:
        picture = emoji_pictures()[number]
        assert tones.tone_of(picture) == "neutral"
        for tone in tones.TONES:
            assert tones.tone_of(tones.with_tone(picture, tone)) == tone


def test_pictures_without_people() -> None:
    assert tones.tone_of(np.full((64, 64, 3), 255, np.uint8)) == ""
    assert tones.tone_of(np.full((64, 64, 3), (30, 60, 200), np.uint8)) == ""
