"""The scene scorer: against a plain reference, on known scenes, and where it must refuse."""

import numpy as np
import pytest
from onepaper.errors import OnePaperError, UsageError

from imagen3.data.scenes import KINDS, PLAIN_KINDS, Placed, Scene, draw_scene, random_scenes, sprite
from imagen3.evaluation import scene_scorer
from imagen3.evaluation.scene_scorer import Found


def test_correlations_are_those_of_a_loop() -> None:
    scene = Scene("2-additive", 32, "pink", (Placed(KINDS[0], 3, 5), Placed(KINDS[6], 20, 16)))
    picture = scene_scorer.degraded(draw_scene(scene), np.random.default_rng(0), 5.0, 0.4)
    found = scene_scorer.correlations(picture, KINDS[:8], 7)
    assert found.shape == (8, 26, 26)
    ground = scene_scorer.ground_colour(picture)
    for index, row, column in ((0, 3, 5), (6, 20, 16), (2, 10, 24), (7, 3, 4)):
        drawn = sprite(KINDS[index], 7).astype(np.float64)
        template = drawn[..., :3] + (1 - drawn[..., 3:]) * ground
        window = picture[row : row + 7, column : column + 7] / 255
        x, y = (own - own.mean((0, 1)) for own in (window, template))
        expected = (x * y).sum() / np.sqrt(np.square(x).sum() * np.square(y).sum())
        assert found[index, row, column] == pytest.approx(expected, abs=1e-9)


def test_known_scenes() -> None:
    check = scene_scorer.check_scorer(70, 0)
    assert check.accuracy >= 0.98
    assert check.confusion.sum() == 70
    assert np.trace(check.confusion) >= 67


def test_found_places() -> None:
    for scene in random_scenes(14, np.random.default_rng(2), 96):
        found = scene_scorer.find_objects(draw_scene(scene))
        assert {thing[:3] for thing in found} == {tuple(placed) for placed in scene.objects}


def test_plain_pictures_show_nothing() -> None:
    assert not scene_scorer.find_objects(np.full((64, 64, 3), 200, np.uint8))
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    assert not scene_scorer.find_objects(noise)


def test_a_scorer_that_fails_is_refused() -> None:
    with pytest.raises(OnePaperError, match="expected 98%; use larger pictures"):
        scene_scorer.check_scorer(14, 0, noise=90.0)
    with pytest.raises(UsageError, match="12 x 64 pixels, expected a square"):
        scene_scorer.find_objects(np.zeros((12, 64, 3), np.uint8))
    with pytest.raises(UsageError, match="does not know 'koala'"):
        scene_scorer.kinds_of("koala")


def test_sides() -> None:
    dog, cat = PLAIN_KINDS[:2]
    found = [Found(dog, 0, 0, 1.0), Found(dog, 30, 40, 1.0), Found(cat, 10, 20, 1.0)]
    assert scene_scorer.on_side(found, "dog", "to the left of", "cat") == 1
    assert scene_scorer.on_side(found, "dog", "above", "cat") == 1
    assert scene_scorer.on_side(found, "cat", "below", "dog") == 0
    assert scene_scorer.on_side(found, "dog", "above", "owl") == 0
