"""The last steps of a picture, in one order: upsample, filter, watermark, metadata.

The mark is stamped after the upsampler, which would weaken it, and after the filter, which sees what the system drew;
metadata come last, since they describe the file.
"""

import io
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imagen3.responsibility.watermark import Mark, embed

Pictures = UInt8[np.ndarray, "count height width 3"]

# The term of the IPTC for pictures that a trained model made.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


class Finished(NamedTuple):
    """A PNG file, or nothing where the filter held the picture back."""

    png: bytes | None
    pixels: UInt8[np.ndarray, "height width 3"]


def finish(
    pictures: Pictures,
    *,
    upsample: Callable[[Pictures], Pictures] | None = None,
    accept: Callable[[Pictures], Sequence[bool]] | None = None,
    mark: Mark | None = None,
) -> list[Finished]:
    """The files of drawn pictures.

    Args:
        pictures: of a system.
        upsample: makes larger ones.
        accept: which pictures may be given out; None for all.
        mark: key and payload of the watermark; None for no mark.

    Raises:
        UsageError: a picture is too small to be marked.
    """
    larger = upsample(pictures) if upsample else pictures
    kept = accept(larger) if accept else [True] * len(larger)
    found = []
    for pixels, keep in zip(larger, kept, strict=True):
        marked = stamped(pixels, mark) if mark and keep else pixels
        found.append(Finished(described_png(marked) if keep else None, marked))
    return found


def stamped(pixels: UInt8[np.ndarray, "height width 3"], mark: Mark) -> UInt8[np.ndarray, "height width 3"]:
    """A picture with its mark."""
    if not mark.learned:
        return embed(pixels, mark.key, mark.payload, psnr=mark.psnr)
    from imagen3.responsibility.learned_mark import embed_learned  # only this one needs networks

    return embed_learned(pixels, mark.key, psnr=mark.psnr)


def described_png(pixels: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """A PNG file whose metadata say that a model made it."""
    information, file = PngInfo(), io.BytesIO()
    information.add_text("Software", "onepaper imagen3, reference system")
    information.add_text("DigitalSourceType", SOURCE_TYPE)
    Image.fromarray(pixels).save(file, format="PNG", pnginfo=information)
    return file.getvalue()
