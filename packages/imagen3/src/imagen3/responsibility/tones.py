"""Skin tones of emoji people by the nearest tone in CIELAB: a stand-in for people, whose tones it does not measure.

Unicode gives emoji five tones, which group the six of Fitzpatrick's scale, and a neutral yellow. They are no tones of
Monk's scale; `MONK` states to which of its groups they are assigned here.
"""

import numpy as np
from jaxtyping import Bool, Float, UInt8
from onepaper.config import check_choice

NEUTRAL = (255, 220, 93)
TONES = {
    "light": (247, 222, 206),
    "medium-light": (243, 210, 162),
    "medium": (213, 171, 136),
    "medium-dark": (175, 126, 87),
    "dark": (124, 83, 62),
}
"""The colours of the tones in Twemoji."""

MONK = {"light": "1-3", "medium-light": "1-3", "medium": "4-6", "medium-dark": "7-8", "dark": "9-10"}

# A pixel has a tone if it is this near (CIE76); a picture has one if this share of its pixels do.
NEAR, LEAST_SHARE = 8.0, 0.03

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _TO_XYZ.sum(1)


def to_lab(colours: UInt8[np.ndarray, "*shape 3"]) -> Float[np.ndarray, "*shape 3"]:
    r"""sRGB as CIELAB with the white point D65.

    $L^* = 116 f(Y) - 16$, $a^* = 500 (f(X) - f(Y))$, $b^* = 200 (f(Y) - f(Z))$, with the cube root as $f$ but for dark
    values (CIE 15, 2004).
    """
    values = colours / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    relative = linear @ _TO_XYZ.T / _WHITE
    roots = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(roots, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def tone_of(picture: UInt8[np.ndarray, "height width 3"]) -> str:
    """The tone of most pixels that have one, `neutral` included; empty where too few pixels have any."""
    names = ["neutral", *TONES]
    colours = to_lab(np.array([NEUTRAL, *TONES.values()], np.uint8))
    distances = np.linalg.norm(to_lab(picture).reshape(-1, 1, 3) - colours, axis=-1)
    nearest = distances.argmin(1)[distances.min(1) < NEAR]
    if len(nearest) < LEAST_SHARE * picture.shape[0] * picture.shape[1]:
        return ""
    return names[np.bincount(nearest, minlength=len(names)).argmax()]


def skin(picture: UInt8[np.ndarray, "height width 3"]) -> Bool[np.ndarray, "height width"]:
    """Which pixels of an emoji have the neutral tone."""
    return np.linalg.norm(to_lab(picture) - to_lab(np.array(NEUTRAL, np.uint8)), axis=-1) < NEAR


def with_tone(picture: UInt8[np.ndarray, "height width 3"], tone: str) -> UInt8[np.ndarray, "height width 3"]:
    """An emoji with its neutral yellow in another tone, as the variants by tone are drawn.

    Raises:
        UsageError: an unknown tone.
    """
    check_choice("tone", tone, TONES)
    change = np.array(TONES[tone]) - NEUTRAL
    return (picture.astype(np.int64) + skin(picture)[..., None] * change).clip(0, 255).astype(np.uint8)
