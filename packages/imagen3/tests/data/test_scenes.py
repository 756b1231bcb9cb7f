"""Scenes: what their descriptions say is what their pictures show."""

import re
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from onepaper.errors import UsageError

from imagen3.config import DataConfig
from imagen3.data import scenes
from imagen3.data.scenes import BACKGROUNDS, FORMS, KINDS, NUMERALS, Scene

SIZES = (32, 64, 96)


@pytest.fixture(scope="module")
def some() -> list[Scene]:
    return [scene for size in SIZES for scene in scenes.random_scenes(140, np.random.default_rng(size), size)]


def test_objects_are_inside_and_apart(some: list[Scene]) -> None:
    for scene in some:
        side = scenes.sprite_size(scene.size)
        for _, row, column in scene.objects:
            assert 0 <= row <= scene.size - side
            assert 0 <= column <= scene.size - side
        for first, second in combinations(scene.objects, 2):
            assert abs(first.row - second.row) >= side or abs(first.column - second.column) >= side


def test_the_ground_is_plain_and_objects_are_drawn(some: list[Scene]) -> None:
    for scene in some[::10]:
        picture = scenes.draw_scene(scene)
        side = scenes.sprite_size(scene.size)
        free = np.ones(picture.shape[:2], bool)
        for _, row, column in scene.objects:
            free[row : row + side, column : column + side] = False
            assert picture[row : row + side, column : column + side].std() > 3
        assert (picture[free] == BACKGROUNDS[scene.background]).all()


def test_forms(some: list[Scene]) -> None:
    kinds = {"2-additive": 2, "3-additive": 3, "2-additive-color": 2, "attribute-spatial": 2}
    largest = Counter[str]()
    for scene in some:
        assert len(scene.counts) == kinds.get(scene.form, 1)
        assert 1 <= len(scene.objects) <= 10
        largest[scene.form] = max(largest[scene.form], *scene.counts.values())
        first, *others = scene.counts
        if scene.relation:
            axis = 1 if scene.relation in ("above", "below") else 2
            one, two = ([placed[axis] for placed in scene.objects if placed.kind == kind] for kind in (first, *others))
            before = scene.relation in ("to the left of", "above")
            assert (max(one) < min(two)) if before else (min(one) > max(two))
    assert set(largest) == set(FORMS)
    assert largest["numeric_simple"] == 10
    assert largest["attribute-color"] == 4


def test_captions_say_what_is_there(some: list[Scene]) -> None:
    for scene in some:
        for numerals in (False, True):
            short, long = scenes.scene_captions(scene, numerals=numerals)
            for kind, count in scene.counts.items():
                number = NUMERALS[count] if numerals else str(count)
                noun = kind.singular if count == 1 else kind.plural
                assert re.search(rf"\b{number} {noun}\b", short)
                assert len(re.findall(rf"\ban? {kind.singular} at\b", long)) == count
            assert scene.background in long
            assert not scene.relation or scene.relation in short
    assert scenes.PLAIN_KINDS[3].plural == "octopuses"
    assert scenes.PLAIN_KINDS[8].plural == "strawberries"


def test_places_in_long_captions() -> None:
    kind = KINDS[0]
    scene = Scene("numeric_simple", 64, "white", (scenes.Placed(kind, 0, 48), scenes.Placed(kind, 33, 17)))
    long = scenes.scene_captions(scene)[1]
    assert "a dog at the top far right, a dog at the lower middle left" in long


def test_same_seed_same_scenes_and_held_out_numbers() -> None:
    first, second = (scenes.scene_pictures(280, 32, seed) for seed in (3, 3))
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert first.captions == second.captions
    learned = {
        (kind, count)
        for scene in scenes.random_scenes(2000, np.random.default_rng(0))
        if scenes.scene_part(scene) == "train"
        for kind, count in scene.counts.items()
    }
    for part in ("validation", "test"):
        for scene in scenes.random_scenes(2000, np.random.default_rng(1)):
            if scenes.scene_part(scene) == part:
                assert not set(scene.counts.items()) <= learned


def test_wrong_values() -> None:
    with pytest.raises(UsageError, match="unknown form 'numeric'"):
        scenes.random_scene("numeric", np.random.default_rng())
    with pytest.raises(UsageError, match="size is 16"):
        scenes.random_scene("2-additive", np.random.default_rng(), 16)


def test_a_data_set_of_the_training() -> None:
    found = scenes.training_pictures(DataConfig("scenes", size=32, scenes=140))
    assert found.pixels.shape == (140, 32, 32, 3)
    assert all(len(found.indices(part)) for part in ("train", "validation", "test"))
    with pytest.raises(UsageError, match="scenes is 10"):
        DataConfig("scenes", scenes=10)
    with pytest.raises(UsageError, match="size is 16"):
        DataConfig("scenes", size=16)
