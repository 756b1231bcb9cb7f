"""Figures, pictures, sound and arrays as the bytes of files, for samples, pages and reports.

`onepaper.display.gallery.save_samples` and the `draw` of a training take such bytes by file name.
"""

import io
import wave
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from onepaper.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_png(figure: "Figure", dpi: int = 150) -> bytes:
    """A matplotlib figure as PNG, with `dpi` pixels an inch."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=dpi)
    return content.getvalue()


def picture_png(picture: npt.NDArray[np.uint8]) -> bytes:
    """A picture as lossless PNG: uint8 of shape (height, width) for grey, (height, width, 1, 3 or 4) with channels.

    Raises:
        UsageError: another dtype or shape.
    """
    from PIL import Image

    channels = picture.shape[2] if picture.ndim == 3 else 1
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise UsageError(
            f"a picture is uint8 of shape (height, width) or (height, width, 1, 3 or 4), got {picture.dtype} "
            f"of shape {picture.shape}"
        )
    content = io.BytesIO()
    Image.fromarray(picture[:, :, 0] if picture.ndim == 3 and channels == 1 else picture).save(content, format="PNG")
    return content.getvalue()


def wav_bytes(samples: npt.NDArray[np.floating[Any]], rate: int) -> bytes:
    """Sound as a WAV file of 16 bits.

    Args:
        samples: shape (samples,) for mono, (samples, channels) otherwise; values beyond [-1, 1] are clipped.
        rate: samples a second.

    Raises:
        UsageError: another number of axes, or NaN.
    """
    if samples.ndim not in (1, 2):
        raise UsageError(f"sound has shape {samples.shape}, expected (samples,) or (samples, channels)")
    if np.isnan(samples).any():
        raise UsageError("the sound holds NaN; check the model that made it")
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((32767 * np.clip(samples, -1, 1)).astype("<i2").tobytes())
    return content.getvalue()


def npy_bytes(array: npt.NDArray[Any]) -> bytes:
    """One array as an .npy file."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def npz_bytes(**arrays: npt.ArrayLike) -> bytes:
    """Named arrays as a compressed .npz file."""
    content = io.BytesIO()
    named: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez_compressed(content, **named)
    return content.getvalue()


def tile_pictures(
    pictures: npt.NDArray[np.uint8], columns: int, *, gap: int = 1, background: int = 255, scale: int = 1
) -> npt.NDArray[np.uint8]:
    """Pictures side by side, row by row, as one picture.

    Args:
        pictures: uint8 of shape (count, height, width) or (count, height, width, channels), at least one.
        columns: pictures in a row; a single incomplete row is not padded.
        gap: pixels around and between the pictures, after scaling.
        background: value of the gap and of missing pictures in the last row.
        scale: each pixel becomes a square of this side.

    Raises:
        UsageError: no picture, another dtype or shape.
    """
    if pictures.dtype != np.uint8 or pictures.ndim not in (3, 4) or not len(pictures):
        raise UsageError(f"pictures are {pictures.dtype} of shape {pictures.shape}, expected uint8 and at least one")
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    scaled = pictures.repeat(scale, axis=1).repeat(scale, axis=2)
    height, width, channels = scaled.shape[1] + gap, scaled.shape[2] + gap, scaled.shape[3:]
    tiled = np.full((gap + rows * height, gap + columns * width, *channels), background, dtype=np.uint8)
    for index, picture in enumerate(scaled):
        top, left = gap + index // columns * height, gap + index % columns * width
        tiled[top : top + height - gap, left : left + width - gap] = picture
    return tiled
