"""Crops, rotations and mirrored pictures are found, by signs that do not decide."""

import numpy as np
import pytest
from PIL import Image

from imagen3.data.emoji import emoji_pictures
from imagen3.responsibility import registration, watermark
from imagen3.responsibility.attacks import ATTACKS
from imagen3.responsibility.watermark import Picture

KEY = b"a key"


@pytest.fixture(scope="module")
def marked() -> list[Picture]:
    pictures = [np.asarray(Image.fromarray(emoji_pictures()[number]).resize((256, 256))) for number in (200, 700)]
    return [watermark.embed(picture, KEY, 7) for picture in pictures]


def test_the_whole_picture_needs_no_search(marked: list[Picture]) -> None:
    for picture in marked:
        assert registration.register(picture, KEY) == registration.Placement()
        assert registration.register(picture[:, ::-1], KEY) == registration.Placement(mirrored=True)


def test_crops_anywhere(marked: list[Picture]) -> None:
    for picture in marked:
        found, placement = registration.detect(picture[20:225, 40:245], KEY)
        assert found.p_value < 1e-6
        assert placement.scale == pytest.approx(205 / 256, abs=0.01)
        assert abs(placement.row - 20) <= 2
        assert abs(placement.column - 40) <= 2
        # Only blocks inside the crop decide.
        assert found.tested < 0.65 * 512


@pytest.mark.parametrize("name", ["rotated 2 degrees", "JPEG 50", "resized 0.5", "blurred 1 pixel", "noise 0.02"])
def test_attacks(name: str, marked: list[Picture]) -> None:
    for picture in marked:
        attacked = ATTACKS[name](picture, np.random.default_rng(0))
        assert registration.detect(attacked, KEY)[0].p_value < 1e-6


def test_the_search_does_not_decide(marked: list[Picture]) -> None:
    """With signs of the key for registration only, a picture is registered and is still unmarked."""
    plain = np.asarray(Image.fromarray(emoji_pictures()[200]).resize((256, 256)))
    signs = watermark.signs_of(KEY, 0)
    only = watermark.chips(KEY)[0][: watermark.REGISTERED]
    partly = watermark._with_signs(plain, signs, only)
    found, placement = registration.detect(partly[20:225, 40:245], KEY)
    assert placement.scale == pytest.approx(0.8, abs=0.01)
    assert found.p_value > 1e-3


def test_another_key_finds_nothing(marked: list[Picture]) -> None:
    assert registration.detect(marked[0], b"another")[0].p_value > 1e-3
