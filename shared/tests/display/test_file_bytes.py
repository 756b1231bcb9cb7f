"""Bytes of files, read back by the libraries that read such files."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from scipy.io import wavfile

from onepaper.display.file_bytes import figure_png, npy_bytes, npz_bytes, picture_png, tile_pictures, wav_bytes
from onepaper.errors import UsageError

RANDOM = np.random.default_rng(0)


def test_figures_have_the_size_of_their_resolution() -> None:
    with Image.open(io.BytesIO(figure_png(Figure(figsize=(2, 1)), dpi=50))) as image:
        assert (image.format, image.size) == ("PNG", (100, 50))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
def test_pictures_are_lossless(shape: tuple[int, ...]) -> None:
    picture = RANDOM.integers(0, 256, shape, dtype=np.uint8)
    with Image.open(io.BytesIO(picture_png(picture))) as image:
        np.testing.assert_array_equal(np.asarray(image), picture[:, :, 0] if shape[2:] == (1,) else picture)


@pytest.mark.parametrize("picture", [np.zeros((2, 2)), np.zeros((2, 2, 2), np.uint8), np.zeros(2, np.uint8)])
def test_other_arrays_are_no_pictures(picture: np.ndarray) -> None:
    with pytest.raises(UsageError, match="a picture is uint8"):
        picture_png(picture)


def test_sound() -> None:
    sound = np.stack([np.sin(np.arange(400) / 9), np.linspace(-2, 2, 400)], axis=1)
    for samples in (sound, sound[:, 0].astype(np.float32)):
        rate, read = wavfile.read(io.BytesIO(wav_bytes(samples, 8000)))
        assert (rate, read.dtype) == (8000, np.int16)
        np.testing.assert_allclose(read / 32767, np.clip(samples, -1, 1), atol=1 / 32767)
    with pytest.raises(UsageError, match="NaN"):
        wav_bytes(np.array([0.0, np.nan]), 8000)
    with pytest.raises(UsageError, match="shape"):
        wav_bytes(np.zeros((1, 2, 3)), 8000)


def test_arrays() -> None:
    array = RANDOM.normal(size=(3, 4))
    np.testing.assert_array_equal(np.load(io.BytesIO(npy_bytes(array))), array)
    with np.load(io.BytesIO(npz_bytes(x=array, y=[1, 2]))) as archive:
        np.testing.assert_array_equal(archive["x"], array)
        np.testing.assert_array_equal(archive["y"], [1, 2])


def test_tiles_pixel_by_pixel() -> None:
    pictures = RANDOM.integers(0, 200, (3, 2, 1), dtype=np.uint8)
    tiled = tile_pictures(pictures, 2, gap=1, background=255, scale=2)
    assert tiled.shape == (1 + 2 * 5, 1 + 2 * 3)
    expected = np.full_like(tiled, 255)
    for index in range(3):
        for y in range(4):
            for x in range(2):
                expected[1 + index // 2 * 5 + y, 1 + index % 2 * 3 + x] = pictures[index, y // 2, x // 2]
    np.testing.assert_array_equal(tiled, expected)
    assert tile_pictures(np.zeros((2, 4, 4, 3), np.uint8), 5, gap=0).shape == (4, 8, 3)
    with pytest.raises(UsageError, match="at least one"):
        tile_pictures(np.zeros((0, 4, 4), np.uint8), 2)
