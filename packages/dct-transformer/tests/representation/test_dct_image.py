"""Coefficients compared with libjpeg's of the same pixels."""

import io

import numpy as np
import pytest
from onepaper.errors import UsageError
from PIL import Image

from dct_transformer.config import CodecConfig
from dct_transformer.data.images import photographs, resize
from dct_transformer.data.jpeg_files import read_jpeg_bytes
from dct_transformer.experiments.pillow_files import saved_by_pillow
from dct_transformer.representation.dct_image import DctImage, block_grid, from_pixels, psnr, to_pixels


@pytest.mark.parametrize("size", [(128, 128), (177, 253), (75, 100), (9, 7), (1, 1), (17, 16)])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_coefficients_are_those_of_libjpeg(size: tuple[int, int], subsampling: str) -> None:
    config = CodecConfig(quality=75, subsampling=subsampling)  # type: ignore[arg-type]
    pixels = resize(photographs()["coffee"], size)
    content = saved_by_pillow(pixels, config)
    ours, theirs = from_pixels(pixels, config), read_jpeg_bytes(content)
    assert ours.steps == theirs.steps
    for mine, other, table, stored in zip(ours.planes, theirs.planes, ours.tables, theirs.tables, strict=True):
        np.testing.assert_array_equal(table, stored)
        assert mine.shape == other.shape
        assert (mine == other).mean() > 0.97
        assert np.abs(mine.astype(int) - other).max() <= 1


def test_grey(picture: np.ndarray) -> None:
    grey = picture[:, :, :1]
    config = CodecConfig(quality=75)
    ours, theirs = from_pixels(grey, config), read_jpeg_bytes(saved_by_pillow(grey, config))
    assert np.abs(ours.planes[0].astype(int) - theirs.planes[0]).max() <= 1
    assert to_pixels(ours).shape == (16, 16, 1)


def test_pixels_are_those_of_libjpeg_without_subsampling() -> None:
    pixels = resize(photographs()["chelsea"], (64, 80))
    content = saved_by_pillow(pixels, CodecConfig(subsampling="4:4:4"))
    assert psnr(to_pixels(read_jpeg_bytes(content)), np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))) > 50


@pytest.mark.parametrize("block", [2, 4, 8, 16])
def test_fine_steps_give_the_pixels_back(block: int) -> None:
    pixels = resize(photographs()["coffee"], (45, 61))
    coded = from_pixels(pixels, CodecConfig(block=block, quality=100, subsampling="4:4:4"))
    assert psnr(to_pixels(coded), pixels) > 45


def test_psnr_by_hand() -> None:
    assert psnr(np.array([0, 10], np.uint8), np.array([0, 0], np.uint8)) == pytest.approx(10 * np.log10(255**2 / 50))
    assert psnr(np.zeros(3, np.uint8), np.zeros(3, np.uint8)) == float("inf")


def test_blocks_are_counted_as_in_libjpeg() -> None:
    assert block_grid(600, 800, 8, (1, 1)) == (75, 100)
    assert block_grid(600, 800, 8, (2, 2)) == (38, 50)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match="expected uint8"):
        from_pixels(np.zeros((4, 4, 2), np.uint8), CodecConfig())
    with pytest.raises(UsageError, match="expected uint8"):
        from_pixels(np.zeros((0, 4, 3), np.uint8), CodecConfig())
    good = from_pixels(np.zeros((4, 4, 3), np.uint8), CodecConfig())
    with pytest.raises(UsageError, match="a plane has shape"):
        DctImage(4, 90, good.planes, good.tables, good.steps)
