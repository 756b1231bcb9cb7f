"""Synthetic captions say what is known of a picture."""

import numpy as np
import pytest

from imagen3.data.captions import CAPTIONERS, main_colours, synthetic_captions, with_article
from imagen3.data.emoji import Emoji, emoji, emoji_pictures

APPLE = Emoji("x", "Food & Drink", "red apple", ("apple", "fruit", "red"), "train")


def test_captions_of_a_painted_picture() -> None:
    picture = np.full((8, 8, 3), 255, np.uint8)
    picture[2:6, 2:6] = (220, 40, 60)
    picture[2:4, 2:6] = (90, 155, 60)
    assert set(main_colours(picture)) == {"red", "green"}
    captions = synthetic_captions(APPLE, picture)
    assert "a picture of a red apple" in captions
    assert "apple, fruit, red" in captions
    assert any("and" in caption and caption.endswith("red apple") for caption in captions)


def test_a_white_picture_is_white() -> None:
    assert main_colours(np.full((4, 4, 3), 255, np.uint8)) == ("white",)


@pytest.mark.parametrize(("noun", "expected"), [("apple", "an apple"), ("dog", "a dog"), ("Orange", "an Orange")])
def test_article(noun: str, expected: str) -> None:
    assert with_article(noun) == expected


def test_all_captions_are_distinct_and_there_are_three_captioners() -> None:
    assert len(CAPTIONERS) == 3
    for concept, picture in zip(emoji()[::50], emoji_pictures()[::50], strict=True):
        captions = synthetic_captions(concept, picture)
        assert len(set(captions)) == len(captions) >= 5
        assert all(caption.strip() == caption and caption for caption in captions)
