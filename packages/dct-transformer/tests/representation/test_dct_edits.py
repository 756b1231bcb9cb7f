"""Edits of coefficients against the same edits of pixels."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from dct_transformer.config import CodecConfig
from dct_transformer.data.images import photographs, resize
from dct_transformer.representation.codec import color_tables
from dct_transformer.representation.dct_edits import change_tables, crop, mirror, unit_size, with_chroma
from dct_transformer.representation.dct_image import DctImage, from_pixels, to_pixels

PIXELS = resize(photographs()["coffee"], (64, 96))


def assert_equal(first: DctImage, second: DctImage) -> None:
    assert (first.height, first.width, first.steps) == (second.height, second.width, second.steps)
    for one, two in zip((*first.planes, *first.tables), (*second.planes, *second.tables), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("block", [4, 8])
def test_crop_is_the_crop_of_pixels(subsampling: str, block: int) -> None:
    codec = CodecConfig(block=block, subsampling=subsampling)  # type: ignore[arg-type]
    image = from_pixels(PIXELS, codec)
    assert_equal(crop(image, 16, 32, 32, 48), from_pixels(PIXELS[16:48, 32:80], codec))
    assert crop(image, 16, 32, 33, 41).planes[0].shape[:2] == (-(-33 // block), -(-41 // block))


def test_crops_outside_are_refused() -> None:
    image = from_pixels(PIXELS, CodecConfig())
    assert unit_size(image) == (16, 16)
    for place, expected in (((8, 0), "multiples of 16"), ((48, 0), "not within"), ((0, 80), "not within")):
        with pytest.raises(UsageError, match=expected):
            crop(image, *place, 32, 32)


def test_mirror_is_the_mirrored_picture() -> None:
    image = from_pixels(PIXELS, CodecConfig(subsampling="4:4:4"))
    mirrored = mirror(image)
    assert_equal(mirror(mirrored), image)
    np.testing.assert_array_equal(to_pixels(mirrored), to_pixels(image)[:, ::-1])
    expected = from_pixels(np.ascontiguousarray(PIXELS[:, ::-1]), CodecConfig(subsampling="4:4:4"))
    for one, two in zip(mirrored.planes, expected.planes, strict=True):
        assert (one == two).mean() > 0.999  # quotients at a half may be rounded the other way
    with pytest.raises(UsageError, match="multiple of 16"):
        mirror(crop(from_pixels(PIXELS, CodecConfig()), 0, 0, 32, 40))


def test_tables() -> None:
    fine, coarse = CodecConfig(quality=95), CodecConfig(quality=50)
    image = from_pixels(PIXELS, fine)
    assert_equal(change_tables(image, color_tables(fine)), image)
    changed = change_tables(image, color_tables(coarse))
    quotients = image.planes[0] * (image.tables[0] / changed.tables[0])
    expected = np.trunc(quotients + np.copysign(0.5, quotients))
    np.testing.assert_array_equal(changed.planes[0], expected)
    assert changed.nonzero < image.nonzero


def test_grey_becomes_colour_without_chroma() -> None:
    grey = from_pixels(PIXELS[:, :, :1], CodecConfig())
    colour = with_chroma(grey, (2, 2), grey.tables[0])
    assert colour.planes[1].shape == (4, 6, 64)
    pixels = to_pixels(colour)
    assert (pixels == pixels[:, :, :1]).all()
    assert with_chroma(colour, (2, 2), grey.tables[0]) is colour
