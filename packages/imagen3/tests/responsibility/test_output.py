"""The last steps of a picture, in their order."""

import io

import numpy as np
from PIL import Image

from imagen3.responsibility import watermark
from imagen3.responsibility.output import SOURCE_TYPE, finish
from imagen3.responsibility.registration import detect
from imagen3.responsibility.watermark import Mark


def test_order() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    seen = []

    def accept(larger: np.ndarray) -> list[bool]:
        seen.append(larger)
        return [True, False, True]

    found = finish(
        pictures,
        upsample=lambda own: own.repeat(8, axis=1).repeat(8, axis=2),
        accept=accept,
        mark=Mark(b"key", 9, psnr=38.0),
    )
    # The filter sees larger pictures without the mark.
    np.testing.assert_array_equal(seen[0], pictures.repeat(8, axis=1).repeat(8, axis=2))
    assert [own.png is None for own in found] == [False, True, False]
    np.testing.assert_array_equal(found[1].pixels, seen[0][1])
    for number in (0, 2):
        opened = Image.open(io.BytesIO(found[number].png or b""))
        assert opened.text["DigitalSourceType"] == SOURCE_TYPE  # pyright: ignore[reportAttributeAccessIssue]
        np.testing.assert_array_equal(np.asarray(opened), found[number].pixels)
        assert watermark.peak_ratio(found[number].pixels, seen[0][number]) >= 38
        assert detect(found[number].pixels, b"key")[0].p_value < 1e-6


def test_without_options() -> None:
    pictures = np.zeros((1, 8, 8, 3), np.uint8)
    (found,) = finish(pictures)
    assert found.png is not None
    np.testing.assert_array_equal(found.pixels, pictures[0])
