"""What happens to pictures in use, as attacks on a watermark."""

from collections.abc import Callable
from functools import partial
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageEnhance, ImageFilter

Picture = UInt8[np.ndarray, "height width 3"]
Attack = Callable[[Picture, np.random.Generator], Picture]


def _array(image: Image.Image) -> Picture:
    return np.asarray(image.convert("RGB"), np.uint8)


def saved(picture: Picture, generator: np.random.Generator, *, kind: str, quality: int) -> Picture:
    """What remains of a picture in a file with loss."""
    file = BytesIO()
    Image.fromarray(picture).save(file, kind, quality=quality)
    return _array(Image.open(file))


def resized(picture: Picture, generator: np.random.Generator, *, factor: float) -> Picture:
    """Resampled to a share of its sides, and back."""
    image = Image.fromarray(picture)
    sides = max(round(image.width * factor), 1), max(round(image.height * factor), 1)
    return _array(image.resize(sides, Image.Resampling.BICUBIC).resize(image.size, Image.Resampling.BICUBIC))


def cropped(picture: Picture, generator: np.random.Generator, *, share: float) -> Picture:
    """The middle part with this share of the sides."""
    height, width = (round(side * share) for side in picture.shape[:2])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]


def rotated(picture: Picture, generator: np.random.Generator, *, angle: float) -> Picture:
    """Rotated about the middle; corners become black."""
    return _array(Image.fromarray(picture).rotate(angle, Image.Resampling.BICUBIC))


def blurred(picture: Picture, generator: np.random.Generator, *, radius: float) -> Picture:
    """Gaussian blur."""
    return _array(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def noisy(picture: Picture, generator: np.random.Generator, *, spread: float) -> Picture:
    """Gaussian noise with a standard deviation as a share of the range."""
    return (picture + 255 * spread * generator.standard_normal(picture.shape)).round().clip(0, 255).astype(np.uint8)


def brightened(picture: Picture, generator: np.random.Generator, *, factor: float) -> Picture:
    """All values times a factor."""
    return _array(ImageEnhance.Brightness(Image.fromarray(picture)).enhance(factor))


def contrasted(picture: Picture, generator: np.random.Generator, *, factor: float) -> Picture:
    """Differences from the mean grey times a factor."""
    return _array(ImageEnhance.Contrast(Image.fromarray(picture)).enhance(factor))


def mirrored(picture: Picture, generator: np.random.Generator) -> Picture:
    """Left and right exchanged."""
    return picture[:, ::-1]


def unchanged(picture: Picture, generator: np.random.Generator) -> Picture:
    """Nothing."""
    return picture


ATTACKS: dict[str, Attack] = {
    "none": unchanged,
    **{f"JPEG {quality}": partial(saved, kind="JPEG", quality=quality) for quality in (90, 70, 50)},
    "WebP 80": partial(saved, kind="WEBP", quality=80),
    **{f"resized {factor:g}": partial(resized, factor=factor) for factor in (0.5, 0.75, 1.5)},
    **{f"cropped {share:.0%}": partial(cropped, share=share) for share in (0.9, 0.7)},
    "rotated 2 degrees": partial(rotated, angle=2.0),
    "blurred 1 pixel": partial(blurred, radius=1.0),
    "noise 0.02": partial(noisy, spread=0.02),
    **{f"brightness {factor:g}": partial(brightened, factor=factor) for factor in (0.8, 1.2)},
    **{f"contrast {factor:g}": partial(contrasted, factor=factor) for factor in (0.8, 1.2)},
    "mirrored": mirrored,
}
"""Attacks that need no network, by name; encoding by an autoencoder and decoding is one more."""
