"""JPEG files by Pillow, the independent encoder of comparisons."""

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from dct_transformer.config import CodecConfig

_PILLOW = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}


def saved_by_pillow(pixels: UInt8[np.ndarray, "height width channels"], config: CodecConfig) -> bytes:
    """The content of the JPEG file of pixels, with the quality and subsampling of a codec."""
    content = io.BytesIO()
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    image.save(content, "JPEG", quality=config.quality, subsampling=_PILLOW[config.subsampling])
    return content.getvalue()
