"""Images to lists and back by one configuration."""

from dataclasses import replace

import numpy as np
import pytest
from onepaper.errors import UsageError

from dct_transformer.config import CodecConfig, ModelConfig
from dct_transformer.data.images import photographs, resize
from dct_transformer.data.jpeg_files import read_jpeg_bytes
from dct_transformer.experiments.pillow_files import saved_by_pillow
from dct_transformer.representation.codec import bounds_of, decode, encode, listed_channels, requantize
from dct_transformer.representation.dct_image import from_pixels, psnr, to_pixels


def test_decode_inverts_encode() -> None:
    pixels = resize(photographs()["chelsea"], (100, 75))
    triples = encode(pixels)
    np.testing.assert_array_equal(decode(triples, 100, 75), to_pixels(from_pixels(pixels, CodecConfig())))
    short = psnr(decode(triples[: triples.length // 4], 100, 75), pixels)
    assert short < psnr(decode(triples, 100, 75), pixels)


def test_lists_that_do_not_fit_are_refused() -> None:
    triples = encode(resize(photographs()["chelsea"], (100, 75)))
    with pytest.raises(UsageError, match="positions are"):
        decode(triples, 16, 16)


def test_requantize() -> None:
    pixels = resize(photographs()["chelsea"], (64, 64))
    stored = read_jpeg_bytes(saved_by_pillow(pixels, CodecConfig(quality=75)))
    assert requantize(stored, CodecConfig(quality=75)) is stored
    coarse = requantize(stored, CodecConfig(quality=20))
    assert coarse.nonzero < stored.nonzero
    assert psnr(to_pixels(coarse), pixels) > 20


def test_bounds_and_listed_channels() -> None:
    config = ModelConfig()
    assert bounds_of(config)[0] == 32  # 4 * 128 / 16
    assert bounds_of(replace(config, value_limit=5)).max() == 5
    assert listed_channels(config).all()
    assert listed_channels(replace(config, condition="luma")).tolist() == [False] * 16 + [True] * 32
