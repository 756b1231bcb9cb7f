"""Colour, DCT, zigzag and tables, compared with scipy, Pillow and the standards."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn

from dct_transformer.representation.transform import (
    blocks_of,
    dct_matrix,
    downsample,
    largest_values,
    plane_of,
    quantization_tables,
    quantize,
    rgb_to_ycbcr,
    ycbcr_to_rgb,
    zigzag,
)

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("block", [2, 3, 4, 8, 16])
def test_dct_is_that_of_scipy(block: int) -> None:
    blocks = RANDOM.normal(size=(5, block, block)) * 50
    expected = dctn(blocks, axes=(1, 2), norm="ortho").reshape(5, -1)[:, zigzag(block)]
    found = blocks.reshape(5, -1).astype(np.float32) @ dct_matrix(block).T
    np.testing.assert_allclose(found, expected, atol=1e-3)
    # Energy is conserved, and the transposed matrix is the inverse.
    np.testing.assert_allclose(np.square(found).sum(), np.square(blocks).sum(), rtol=1e-5)
    np.testing.assert_allclose(found @ dct_matrix(block), blocks.reshape(5, -1), atol=1e-3)


def test_zigzag_is_that_of_the_standard() -> None:
    assert zigzag(8)[-4:].tolist() == [47, 55, 62, 63]
    assert zigzag(8)[:16].tolist() == [0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5]
    for block in (2, 3, 4, 16):
        assert sorted(zigzag(block)) == list(range(block * block))
        diagonals = zigzag(block) // block + zigzag(block) % block
        assert (np.diff(diagonals) >= 0).all()


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 60, 75, 95, 100])
def test_tables_are_those_of_pillow(quality: int) -> None:
    content = io.BytesIO()
    Image.new("RGB", (16, 16)).save(content, "JPEG", quality=quality)
    with Image.open(content) as image:
        tables = image.quantization  # type: ignore[attr-defined]
    for index in (0, 1):
        # Pillow lists them row by row.
        assert np.array(tables[index])[zigzag(8)].tolist() == quantization_tables(quality)[index].tolist()


def test_tables_of_other_blocks() -> None:
    for resize in ("nearest", "bilinear"):
        assert np.array_equal(quantization_tables(50, 8, resize), quantization_tables(50))
        small, large = quantization_tables(50, 4, resize), quantization_tables(50, 16, resize)
        assert small.shape == (2, 16)
        assert large.shape == (2, 256)
        assert small.min() >= 10
        assert large.max() <= 121


def test_color_is_that_of_the_standard() -> None:
    image = RANDOM.integers(0, 256, (40, 50, 3), np.uint8)
    red, green, blue = image.transpose(2, 0, 1).astype(float)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    expected = np.rint([luma - 128, 0.5 * (blue - luma) / (1 - 0.114), 0.5 * (red - luma) / (1 - 0.299)])
    assert np.abs(rgb_to_ycbcr(image) - expected).max() <= 1
    assert (rgb_to_ycbcr(image) == expected).mean() > 0.99
    back = ycbcr_to_rgb(rgb_to_ycbcr(image).astype(np.float32))
    assert np.abs(back.astype(int) - image).max() <= 2


def test_downsampling_by_hand() -> None:
    plane = np.array([[0, 1, 2, 3, 1], [1, 0, 2, 4, 1]])
    # Sums 2, 11, 4: the first is rounded with +1, the second with +2; the last column is repeated.
    assert downsample(plane, (2, 2)).tolist() == [[(2 + 1) // 4, (11 + 2) // 4, (4 + 1) // 4]]
    assert downsample(plane, (1, 2)).tolist() == [[0, 3, 1], [0, 3, 1]]
    assert downsample(plane, (1, 1)).tolist() == plane.tolist()


def test_blocks_are_in_raster_order() -> None:
    plane = np.arange(24).reshape(4, 6)
    assert blocks_of(plane, 2)[1].tolist() == [2, 3, 8, 9]
    assert blocks_of(plane, 2)[3].tolist() == [12, 13, 18, 19]
    np.testing.assert_array_equal(plane_of(blocks_of(plane, 2), 2, 3), plane)


def test_halves_are_rounded_away_from_zero() -> None:
    table = np.array([2, 2, 2, 2, 3])
    assert quantize(np.array([[1, -1, 3, -3, 4]], np.float32), table).tolist() == [[1, -1, 2, -2, 1]]


def test_largest_values_are_reached_and_not_exceeded() -> None:
    tables = tuple(tuple(int(step) for step in table) for table in quantization_tables(75))
    bounds = largest_values(tables, 8)
    extreme = np.where(dct_matrix(8) >= 0, 128, -128).astype(np.float32)
    found = quantize(extreme @ dct_matrix(8).T, quantization_tables(75)[0])
    np.testing.assert_array_equal(np.diagonal(found), bounds[0])
    noise = RANDOM.choice([-128.0, 127.0], (1000, 64)).astype(np.float32)
    assert (np.abs(quantize(noise @ dct_matrix(8).T, quantization_tables(75)[0])) <= bounds[0]).all()
