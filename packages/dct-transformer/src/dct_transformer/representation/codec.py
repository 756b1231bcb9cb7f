"""The representation of a configuration: layout, tables and bounds; images to and from lists."""

import numpy as np
from jaxtyping import Bool, Int, UInt8

from dct_transformer.config import CHROMA_STEPS, CodecConfig, ModelConfig
from dct_transformer.representation.dct_image import DctImage, from_pixels, to_pixels
from dct_transformer.representation.transform import largest_values, quantization_tables
from dct_transformer.representation.triples import Layout, Triples, layout_of


def layout_for(config: ModelConfig) -> Layout:
    """The layout of a network's images."""
    return color_layout(config.height, config.width, config.codec)


def color_layout(height: int, width: int, codec: CodecConfig) -> Layout:
    """The layout of colour images of a size."""
    chroma = CHROMA_STEPS[codec.subsampling]
    return layout_of(height, width, codec.block, ((1, 1), chroma, chroma), codec.order)


def color_tables(codec: CodecConfig) -> tuple[Int[np.ndarray, "block_squared"], ...]:
    """The tables of Y, Cb and Cr."""
    luma, chroma = quantization_tables(codec.quality, codec.block, codec.table_resize)
    return luma, chroma, chroma


def bounds_of(config: ModelConfig) -> Int[np.ndarray, "channels"]:
    """The largest size of the values of each channel."""
    codec = config.codec
    tables = tuple(tuple(int(step) for step in table) for table in color_tables(codec))
    bounds = largest_values(tables, codec.block).ravel()
    return np.minimum(bounds, config.value_limit) if config.value_limit else bounds


def listed_channels(config: ModelConfig) -> Bool[np.ndarray, "channels"]:
    """The channels that a network's lists hold: all, or those of the chroma planes for colourisation."""
    planes = np.arange(3 * config.codec.block**2) // config.codec.block**2
    return planes > 0 if config.condition == "luma" else planes >= 0


def encode(image: UInt8[np.ndarray, "height width channels"], codec: CodecConfig | None = None) -> Triples:
    """The list of RGB or grey pixels.

    Raises:
        UsageError: other shapes or types.
    """
    codec = codec or CodecConfig()
    found = from_pixels(image, codec)
    return layout_of(found.height, found.width, found.block, found.steps, codec.order).to_triples(found)


def decode(
    triples: Triples, height: int, width: int, codec: CodecConfig | None = None
) -> UInt8[np.ndarray, "height width 3"]:
    """The RGB pixels of a list, or of any prefix of it.

    Raises:
        UsageError: a list that is not sorted, has duplicates or does not fit into the size.
    """
    codec = codec or CodecConfig()
    return to_pixels(color_layout(height, width, codec).to_image(triples, color_tables(codec)))


def requantize(image: DctImage, codec: CodecConfig) -> DctImage:
    """An image with the tables, blocks and subsampling of a codec: unchanged if it has them, or from its pixels."""
    tables, layout = color_tables(codec), color_layout(image.height, image.width, codec)
    same = image.block == codec.block and image.steps == layout.steps
    if same and all(np.array_equal(own, table) for own, table in zip(image.tables, tables, strict=True)):
        return image
    pixels = to_pixels(image)
    return from_pixels(pixels.repeat(3 // pixels.shape[2], axis=2), codec)
