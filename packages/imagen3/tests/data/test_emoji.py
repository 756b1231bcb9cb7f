"""The shipped pictures are complete, and their parts are fixed."""

from collections import Counter

import numpy as np

from imagen3.config import CATEGORIES
from imagen3.data.emoji import emoji, emoji_pictures


def test_concepts_and_pictures() -> None:
    concepts, pictures = emoji(), emoji_pictures()
    assert len(concepts) == len(pictures) == 1572
    assert {concept.category for concept in concepts} == set(CATEGORIES)
    assert len({concept.character for concept in concepts}) == 1572
    assert all(concept.name and concept.keywords for concept in concepts)
    # Every picture shows something on white.
    assert (pictures.reshape(1572, -1).min(axis=1) < 250).all()
    assert pictures[:, 0, 0].min(axis=1).mean() > 250


def test_a_red_apple_is_red() -> None:
    names = {concept.name: number for number, concept in enumerate(emoji())}
    red, green = (emoji_pictures()[names[name]][16:48, 16:48].reshape(-1, 3) for name in ("red apple", "green apple"))
    assert np.median(red, axis=0).argmax() == 0
    assert np.median(green, axis=0).argmax() == 1


def test_parts() -> None:
    counts = Counter(concept.part for concept in emoji())
    assert counts["train"] / 1572 > 0.9
    assert min(counts["validation"], counts["test"]) >= 70
