"""Filters of pictures: quality, and signs that a machine made them.

Values are those of the picture reduced to at most `LARGEST` pixels a side, so that limits do not depend on resolution.
"""

import re

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy import ndimage

from imagen3.config import FilterConfig
from imagen3.data.pipeline.records import KEEP, Decision, Record

LARGEST = 256

# Programs that write their name or settings into what they make, and marks of the standards IPTC and C2PA.
GENERATORS = re.compile(
    rb"trainedAlgorithmicMedia|compositeWithTrainedAlgorithmicMedia|c2pa\.(?:created|actions)[^\0]{0,400}?algorithmic"
    rb"|stable[ -]diffusion|midjourney|dall[-\xb7 ]?e\b|novelai|comfyui|invokeai|automatic1111|adobe firefly"
    rb"|negative prompt:|\bCFG scale:|sd-metadata|dream\x00",
    re.IGNORECASE,
)


def grey(pixels: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "rows columns"]:
    """Grey values of a picture, reduced where it is large."""
    image = Image.fromarray(pixels).convert("L")
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
    return np.asarray(image, np.float64)


def sharpness(values: Float[np.ndarray, "h w"]) -> float:
    """Variance of the Laplacian; small for blurred pictures."""
    return float(ndimage.laplace(values).var())


def entropy(values: Float[np.ndarray, "h w"]) -> float:
    """Entropy in bits of the histogram of grey values, from 0 to 8."""
    share = np.bincount(values.astype(np.int64).ravel(), minlength=256) / values.size
    return float(-(share[share > 0] * np.log2(share[share > 0])).sum())


def quality(record: Record, config: FilterConfig) -> Decision:
    """Drop what cannot be decoded, is small, long and narrow, blurred, empty, or under- or overexposed."""
    if record.pixels is None:
        return Decision("undecodable", drop=True)
    height, width, _ = record.pixels.shape
    if min(height, width) < config.smallest_side:
        return Decision("small", drop=True)
    if max(height, width) > config.largest_ratio * min(height, width):
        return Decision("narrow", drop=True)
    values = grey(record.pixels)
    if not config.darkest <= values.mean() <= config.brightest:
        return Decision("exposure", drop=True)
    if entropy(values) < config.least_entropy:
        return Decision("empty", drop=True)
    if sharpness(values) < config.least_sharpness:
        return Decision("blurred", drop=True)
    return KEEP


def machine_made(record: Record) -> Decision:
    """Drop pictures whose metadata name a generator, or which the standards IPTC and C2PA mark as generated.

    A picture without metadata is kept: this finds what is declared, not what is hidden.
    """
    found = GENERATORS.search(record.header)
    return Decision("declared", drop=True) if found else KEEP
