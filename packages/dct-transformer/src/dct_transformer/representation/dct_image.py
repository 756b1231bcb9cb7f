"""An image as planes of quantised coefficients: from pixels and back."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Int16, UInt8
from onepaper.errors import UsageError

from dct_transformer.config import CHROMA_STEPS, CodecConfig
from dct_transformer.representation.transform import (
    blocks_of,
    dct_matrix,
    downsample,
    pad,
    plane_of,
    quantization_tables,
    quantize,
    rgb_to_ycbcr,
    ycbcr_to_rgb,
)

Plane = Int16[np.ndarray, "rows columns block_squared"]


@dataclass(frozen=True)
class DctImage:
    """Quantised coefficients of an image.

    Args:
        height: pixels; blocks at the lower and right edge may reach beyond.
        width: pixels.
        planes: Y, Cb, Cr, or Y alone for grey images: blocks by row and column, coefficients in zigzag order.
        tables: for each plane the steps of its quantisation, in zigzag order.
        steps: luma blocks for one block of each plane, vertically and horizontally.

    A plane with steps (s, t) has ceil(height / (s B)) x ceil(width / (t B)) blocks, as in libjpeg. A file holds more
    of them where its interleaved scans are padded to complete units; libjpeg does not return these.
    """

    height: int
    width: int
    planes: tuple[Plane, ...]
    tables: tuple[Int[np.ndarray, "block_squared"], ...]
    steps: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if len(self.planes) not in (1, 3) or not len(self.planes) == len(self.tables) == len(self.steps):
            raise UsageError(f"an image has {len(self.planes)} planes, expected one (grey) or Y, Cb, Cr")
        for plane, table, steps in zip(self.planes, self.tables, self.steps, strict=True):
            grid = block_grid(self.height, self.width, self.block, steps)
            if plane.shape != (*grid, self.block**2) or table.shape != (self.block**2,):
                raise UsageError(f"a plane has shape {plane.shape}, expected {(*grid, self.block**2)}")

    @property
    def block(self) -> int:
        """B."""
        return round(self.planes[0].shape[-1] ** 0.5)

    @property
    def nonzero(self) -> int:
        """Number of coefficients that are not zero, which is the length of the list."""
        return sum(int(np.count_nonzero(plane)) for plane in self.planes)


def block_grid(height: int, width: int, block: int, steps: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of blocks of a plane."""
    return -(-height // (block * steps[0])), -(-width // (block * steps[1]))


def from_pixels(image: UInt8[np.ndarray, "height width channels"], config: CodecConfig) -> DctImage:
    """Quantised coefficients of RGB or grey pixels.

    The steps are those of libjpeg's compression with `islow`: fixed-point colour, means for chroma, DCT, division by
    the table. Edges are padded as there: pixels are repeated to the right, and rows of the subsampled planes downwards.
    The DCT is exact here and of limited precision in libjpeg, so that a few coefficients differ by 1.

    Raises:
        UsageError: other shapes or types.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3) or not image.size:
        raise UsageError(f"an image has shape {image.shape} and type {image.dtype}, expected uint8 [height, width, 3]")
    height, width, channels = image.shape
    if channels == 3:
        components = rgb_to_ycbcr(image)
        chroma = CHROMA_STEPS[config.subsampling]
        steps: tuple[tuple[int, int], ...] = ((1, 1), chroma, chroma)
    else:
        components, steps = image[None, :, :, 0].astype(np.int16) - 128, ((1, 1),)
    tables = quantization_tables(config.quality, config.block, config.table_resize)
    matrix = dct_matrix(config.block)
    planes = []
    for component, plane_steps, table in zip(components, steps, (tables[0], tables[1], tables[1]), strict=False):
        rows, columns = block_grid(height, width, config.block, plane_steps)
        wide = pad(component, 0, columns * config.block * plane_steps[1] - width)
        small = downsample(wide, plane_steps)
        small = pad(small, rows * config.block - len(small), 0)
        quantized = quantize(blocks_of(small, config.block) @ matrix.T, table)
        planes.append(quantized.reshape(rows, columns, -1))
    return DctImage(height, width, tuple(planes), (tables[0], tables[1], tables[1])[: len(planes)], steps)


def to_pixels(image: DctImage) -> UInt8[np.ndarray, "height width channels"]:
    """The pixels of an image, RGB or grey: de-quantised, transformed back, chroma repeated, cropped."""
    matrix = dct_matrix(image.block)
    components = []
    for plane, table, steps in zip(image.planes, image.tables, image.steps, strict=True):
        rows, columns, channels = plane.shape
        coefficients = plane.reshape(-1, channels).astype(np.float32) * table.astype(np.float32)
        small = plane_of(coefficients @ matrix, rows, columns)
        full = small.repeat(steps[0], axis=0).repeat(steps[1], axis=1)
        components.append(full[: image.height, : image.width])
    if len(components) == 1:
        return np.clip(np.rint(components[0]) + 128, 0, 255).astype(np.uint8)[:, :, None]
    return ycbcr_to_rgb(np.stack(components))


def psnr(first: UInt8[np.ndarray, "..."], second: UInt8[np.ndarray, "..."]) -> float:
    r"""Peak signal-to-noise ratio of two images in decibels, $10 \log_{10} (255^2 / \mathrm{MSE})$."""
    error = float(np.square(first.astype(np.float64) - second.astype(np.float64)).mean())
    return float("inf") if error == 0 else 10 * np.log10(255**2 / error)
