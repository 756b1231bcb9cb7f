"""Where lists put detail, as in the heat maps of the paper (figure 1)."""

import numpy as np
from jaxtyping import Int, UInt8

from dct_transformer.config import ModelConfig
from dct_transformer.representation.codec import layout_for
from dct_transformer.representation.triples import Triples


def detail_counts(config: ModelConfig, triples: Triples) -> Int[np.ndarray, " positions"]:
    """Luma coefficients of each block but the mean."""
    detail = (triples.channels > 0) & (triples.channels < config.codec.block**2)
    return np.bincount(triples.positions[detail], minlength=layout_for(config).num_positions)


def heat_map(config: ModelConfig, counts: Int[np.ndarray, " positions"]) -> UInt8[np.ndarray, "height width 3"]:
    """Counts of blocks as a picture of about the images' size, darker where there are more."""
    block, grid = config.codec.block, layout_for(config).grid
    scaled = 255 - 255 * counts.reshape(grid) // max(1, counts.max())
    large = scaled.repeat(block, axis=0).repeat(block, axis=1).astype(np.uint8)
    return large[: config.height, : config.width, None].repeat(3, axis=2)
