"""How a marked picture was cropped, rotated or mirrored, by the signs of the key that are for this only.

The picture is tried at every place of the original frame: for each mirroring, angle and scale, a correlation with the
pattern of the key gives the best place. The signs that decide about the watermark are not used.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter
from scipy.stats import binom

from imagen3.responsibility.watermark import (
    BLOCK,
    CHIPS,
    COEFFICIENTS,
    FLAT,
    FRAME,
    LUMA,
    REGISTERED,
    Detection,
    Picture,
    check_size,
    chips,
    detection,
    frame_of,
    marked_coefficients,
    resampled,
)

# Side of the frame in the first search.
COARSE = 128
ANGLES = tuple(range(-3, 4))
SCALES = tuple(float(scale) for scale in np.round(np.arange(1.0, 0.59, -0.02), 2))

# No search where the signs for registration already agree in the whole picture so clearly.
CLEAR = 1e-9

# Contrasts below this count less, in 8-bit values.
FLOOR = 2.0


class Placement(NamedTuple):
    """Where a picture lies in the frame of the original: mirrored or not, rotated by an angle in degrees, with this
    share of the sides, and its upper left corner at a row and column of the 256 of the frame."""

    mirrored: bool = False
    angle: float = 0.0
    scale: float = 1.0
    row: int = 0
    column: int = 0


def _grey(picture: Picture, *, mirrored: bool) -> Image.Image:
    values = picture @ LUMA
    return Image.fromarray((values[:, ::-1] if mirrored else values).astype(np.float32))


def _rotated(grey: Image.Image, angle: float) -> Image.Image:
    return grey.rotate(angle, Image.Resampling.BICUBIC) if angle else grey


def placed_coefficients(
    picture: Picture, placement: Placement
) -> tuple[Float[np.ndarray, " chips"], Bool[np.ndarray, " chips"]]:
    """The coefficients of the frame, and those whose blocks are wholly inside the picture."""
    side = round(placement.scale * FRAME)
    turned = _rotated(_grey(picture, mirrored=placement.mirrored), placement.angle)
    values = resampled(np.asarray(turned), side, side)
    frame, seen = np.zeros((FRAME, FRAME)), np.zeros((FRAME, FRAME), bool)
    part = np.s_[placement.row : placement.row + side, placement.column : placement.column + side]
    frame[part] = values[: FRAME - placement.row, : FRAME - placement.column]
    seen[part] = True
    whole = seen.reshape(FRAME // BLOCK, BLOCK, FRAME // BLOCK, BLOCK).all(axis=(1, 3))
    return marked_coefficients(frame), whole.ravel().repeat(len(COEFFICIENTS))


@lru_cache(maxsize=32)
def _pattern(key: bytes, frame: int) -> np.ndarray:
    """Spectrum of the signs for registration, as a picture of the frame."""
    order, drawn = chips(key)
    signs = np.zeros(CHIPS)
    signs[order[:REGISTERED]] = drawn[:REGISTERED]
    return np.asarray(rfft2(resampled(frame_of(signs), frame, frame)))


def _flattened(grey: Image.Image, frame: int) -> Float[np.ndarray, "frame frame"]:
    """Contrasts divided by their local size, since strong edges of a picture say little about the mark."""
    values, width = resampled(np.asarray(grey), frame, frame), frame / 80
    fine = values - gaussian_filter(values, width, mode="reflect")
    return fine / np.sqrt(gaussian_filter(np.square(fine), width, mode="reflect") + FLOOR**2)


def _best_place(fine: Float[np.ndarray, "side side"], key: bytes, frame: int) -> tuple[float, int, int]:
    """The largest correlation over all places inside the frame, and where it is."""
    room = frame - len(fine) + 1
    spectrum = np.conj(np.asarray(rfft2(fine / (np.linalg.norm(fine) + 1e-9), s=(frame, frame))))
    correlation = np.asarray(irfft2(spectrum * _pattern(key, frame), s=(frame, frame)))[:room, :room]
    row, column = np.unravel_index(correlation.argmax(), correlation.shape)
    return float(correlation[row, column]), int(row), int(column)


def register(picture: Picture, key: bytes) -> Placement:
    """The placement of a picture that agrees best with the signs for registration.

    Shares of the sides down to 0.6, angles up to 3 degrees and mirroring are searched. Another aspect ratio of the
    whole picture does not matter, but that of a part has to be that of the whole.
    """
    for mirrored in (False, True):
        placement = Placement(mirrored)
        if _registered_p(placed_coefficients(picture, placement)[0], key) < CLEAR:
            return placement
    best = _searched(
        picture, key, COARSE, [(mirrored, angle) for mirrored in (False, True) for angle in ANGLES], SCALES
    )
    angles = [(best.mirrored, best.angle + angle) for angle in (-0.5, -0.25, 0.0, 0.25, 0.5)]
    scales = [min(best.scale + scale, 1.0) for scale in (-0.01, -0.005, 0.0, 0.005, 0.01)]
    return _searched(picture, key, FRAME, angles, scales)


def _registered_p(values: Float[np.ndarray, " chips"], key: bytes) -> float:
    order, drawn = chips(key)
    own = values[order[:REGISTERED]]
    clear = np.abs(own) > FLAT
    matches = (np.sign(own[clear]) == drawn[:REGISTERED][clear]).sum()
    return float(binom.sf(matches - 1, clear.sum(), 0.5))


def _searched(
    picture: Picture, key: bytes, frame: int, turns: Iterable[tuple[bool, float]], scales: Sequence[float]
) -> Placement:
    largest, found, step = -np.inf, Placement(), FRAME // frame
    for mirrored, angle in turns:
        fine = _flattened(_rotated(_grey(picture, mirrored=mirrored), angle), frame)
        for scale in scales:
            side = round(scale * frame)
            peak, row, column = _best_place(resampled(fine, side, side), key, frame)
            if peak > largest:
                # Odd sides of the coarse frame may end one pixel late in the fine one.
                last = FRAME - round(scale * FRAME)
                row, column = (min(place * step, last) for place in (row, column))
                largest, found = peak, Placement(mirrored, angle, scale, row, column)
    return found


def detect(picture: Picture, key: bytes) -> tuple[Detection, Placement]:
    """Whether a picture has the watermark of a key, its payload, and what was done to the picture.

    Raises:
        UsageError: a small picture or an empty key.
    """
    check_size(picture)
    placement = register(picture, key)
    values, seen = placed_coefficients(picture, placement)
    return detection(values, key, seen), placement
