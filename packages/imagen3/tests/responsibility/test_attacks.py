"""Attacks do what their names say."""

import numpy as np
import pytest

from imagen3.responsibility.attacks import ATTACKS

PICTURE = np.random.default_rng(1).integers(0, 256, (64, 80, 3)).astype(np.uint8)


@pytest.mark.parametrize("name", list(ATTACKS))
def test_form_and_size(name: str) -> None:
    before = PICTURE.copy()
    after = ATTACKS[name](PICTURE, np.random.default_rng(0))
    np.testing.assert_array_equal(PICTURE, before)
    assert after.dtype == np.uint8
    assert after.shape == {"cropped 90%": (58, 72, 3), "cropped 70%": (45, 56, 3)}.get(name, PICTURE.shape)
    assert np.array_equal(after, PICTURE) == (name == "none")


def test_sizes_of_changes() -> None:
    grey = np.full((64, 64, 3), 100, np.uint8)
    generator = np.random.default_rng(0)
    assert (ATTACKS["brightness 1.2"](grey, generator) == 120).all()
    assert (ATTACKS["brightness 0.8"](grey, generator) == 80).all()
    assert ATTACKS["noise 0.02"](grey, generator).std() == pytest.approx(0.02 * 255, rel=0.03)
    np.testing.assert_array_equal(ATTACKS["mirrored"](PICTURE, generator), PICTURE[:, ::-1])
    halves = np.zeros((64, 64, 3), np.uint8)
    halves[:, 32:] = 200
    strong = ATTACKS["contrast 1.2"](halves, generator)
    assert int(strong.max()) - int(strong.min()) == pytest.approx(220, abs=2)
