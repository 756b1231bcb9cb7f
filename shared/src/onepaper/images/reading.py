"""An image file as 8-bit grey or RGB values, whatever its mode and depth."""

import warnings
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.Image import Transpose
from PIL.ImageFile import ImageFile

from onepaper.errors import UsageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
"""Formats that are decoded, whatever a file is called. Pillow knows others, of which PostScript runs a program."""

MAX_PIXELS = 2**27
"""Larger images are refused before they are decoded."""

# Pillow warns of half as many pixels, and of damaged EXIF data, which are left out of account.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")

_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
# Tags of a TIFF file.
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0


def read_image(
    path: Path, *, channels: Literal[1, 3] = 3, size: tuple[int, int] | None = None, background: int = 255
) -> UInt8[np.ndarray, "height width channels"]:
    """The first frame of an image file as grey or RGB values, upright.

    Every mode of PNG, JPEG, WebP, BMP, GIF and TIFF is read: bilevel, grey, palette, RGB, CMYK, 8 or 16 bits a channel,
    with or without transparency. A 16-bit grey value v becomes round(v / 257); of 16-bit colours Pillow keeps the upper
    8 bits. Transparent pixels are composited on a grey background. The orientation in the EXIF data is applied. Colour
    profiles are not.

    Args:
        path: the file; its name does not matter.
        channels: 1 (grey, ITU-R 601-2 luma) or 3 (RGB).
        size: height and width to crop (at the centre, to this aspect ratio) and resample (Lanczos) to; None keeps
            the image's own. A JPEG file of at least four times the size is decoded at a reduced scale.
        background: value of all channels behind transparent pixels, white by default.

    Raises:
        UsageError: no such file, another format, a damaged or truncated file, no pixels or more than `MAX_PIXELS`, or
            values without a defined range (32-bit integers and floats).
    """
    if not path.is_file():
        raise UsageError(f"{path} is not a file; give the path of an image")
    try:
        with Image.open(path, formats=FORMATS) as opened:
            if not 0 < opened.width * opened.height <= MAX_PIXELS:
                raise Image.DecompressionBombError(f"{opened.width:,} x {opened.height:,} pixels")
            if size is not None:
                opened.draft(None, (2 * max(size), 2 * max(size)))
            opened.load()
            image = _opaque(_eight_bit(_upright(opened)), background).convert("RGB")
    except Image.DecompressionBombError as error:
        raise UsageError(f"{path}: {error}; expected 1 to {MAX_PIXELS:,} pixels") from None
    except Exception as error:  # the decoders raise many kinds: OSError, SyntaxError, ValueError, struct.error, ...
        unknown = f"damaged, or none of {', '.join(FORMATS)}"
        reason = unknown if isinstance(error, UnidentifiedImageError) else " ".join(str(error).split())
        raise UsageError(
            f"{path} is not a readable image ({reason or type(error).__name__}); save it again as PNG or JPEG"
        ) from None
    if channels == 1:
        image = image.convert("L")
    if size is not None:
        image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.LANCZOS)
    return np.array(image, np.uint8).reshape(image.height, image.width, channels)


def _upright(image: ImageFile) -> Image.Image:
    """The image turned and mirrored as its EXIF data say; data that cannot be parsed say nothing."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # as many kinds as the decoders; the pixels are not affected
        orientation = None
    # Pillow's exif_transpose also writes the other EXIF data again, and fails where one of them is unusual.
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _eight_bit(image: Image.Image) -> Image.Image:
    """A mode of 8 bits a channel; 16-bit grey becomes L, or LA where one grey value is transparent."""
    if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):
        kind = "floats" if image.mode == "F" else "32-bit or signed integers"
        raise ValueError(f"its values are {kind} without a defined range")
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    tags = getattr(image, "tag_v2", {})
    white = 2 ** tags.get(_BITS, (16,))[0] - 1
    grey = (255 * values + white // 2) // white
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    found = Image.fromarray(grey.astype(np.uint8))
    if isinstance(transparent := image.info.get("transparency"), int):
        found.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return found


def _opaque(image: Image.Image, background: int) -> Image.Image:
    """An image without transparency, composited on a grey background."""
    if not image.has_transparency_data:
        return image
    if image.mode == "La":
        image = image.convert("LA")
    canvas = Image.new("RGBA", image.size, (background, background, background, 255))
    return Image.alpha_composite(canvas, image.convert("RGBA"))
