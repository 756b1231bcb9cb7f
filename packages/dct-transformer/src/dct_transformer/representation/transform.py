"""Colour, block DCT, zigzag order and quantisation tables, with libjpeg's conventions."""

import functools
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Int, Int16, UInt8

# Annex K of ITU-T T.81: tables for quality 50, row by row.
_LUMA_50 = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA_50 = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)

# libjpeg's 16-bit fixed-point weights of R, G and B (ITU-R BT.601, full range). The rows of Cb and Cr sum to 0.
_FORWARD = np.array([[19595, 38470, 7471], [-11059, -21709, 32768], [32768, -27439, -5329]], np.int32)
_HALF = 1 << 15


def rgb_to_ycbcr(image: UInt8[np.ndarray, "height width 3"]) -> Int16[np.ndarray, "3 height width"]:
    r"""The planes Y - 128, Cb - 128 and Cr - 128, rounded as libjpeg does, from -128 to 127.

    $$Y = 0.299 R + 0.587 G + 0.114 B, \quad C_b = 128 + 0.564 (B - Y), \quad C_r = 128 + 0.713 (R - Y)$$
    """
    # float32 represents the fixed-point sums, below 2^24, exactly; a matrix product of floats uses the BLAS library.
    planes = image.reshape(-1, 3).T.astype(np.float32, order="C")
    sums = _FORWARD.astype(np.float32) @ planes
    # Chroma is rounded down at exactly one half, luma up (jccolor.c). Division by a power of two is exact.
    sums += np.array([[_HALF], [_HALF - 1], [_HALF - 1]], np.float32)
    sums *= np.float32(1 / (1 << 16))
    np.floor(sums, out=sums)
    sums[0] -= 128
    return sums.astype(np.int16).reshape(3, *image.shape[:2])


def ycbcr_to_rgb(planes: Float[np.ndarray, "3 height width"]) -> UInt8[np.ndarray, "height width 3"]:
    """The inverse of `rgb_to_ycbcr`: planes around 0, each rounded and clipped to 8 bits first, as in libjpeg."""
    luma, blue, red = np.clip(np.rint(planes), -128, 127).astype(np.float32)
    luma = luma + 128
    rgb = np.stack([luma + 1.402 * red, luma - 0.344136286 * blue - 0.714136286 * red, luma + 1.772 * blue], axis=-1)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def downsample(
    plane: Int[np.ndarray, "height width"], steps: tuple[int, int]
) -> Int16[np.ndarray, "small_height small_width"]:
    """Means of `steps` pixels, with libjpeg's rounding: alternately down and up at one half (jcsample.c).

    The last row and column are repeated where the size is no multiple. The number of pixels of a mean is a power of
    two.
    """
    rows, columns = steps
    if steps == (1, 1):
        return plane.astype(np.int16)
    plane = pad(plane, -plane.shape[0] % rows, -plane.shape[1] % columns)
    count, shift = rows * columns, (rows * columns).bit_length() - 1
    total = np.tile(np.array([(count - 1) // 2, count // 2], np.int16), -(-plane.shape[1] // (2 * columns)))
    total = total[: plane.shape[1] // columns]
    for row in range(rows):
        for column in range(columns):
            total = total + plane[row::rows, column::columns]
    return (total >> shift).astype(np.int16)


def pad(plane: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """`plane` with its last row and column repeated."""
    return np.pad(plane, ((0, rows), (0, columns)), mode="edge") if rows or columns else plane


@functools.cache
def zigzag(block: int) -> Int[np.ndarray, "block_squared"]:
    """Raster index of each zigzag index: anti-diagonals in turn, in alternating directions (ITU-T T.81, figure 5)."""
    cells = [(row, column) for row in range(block) for column in range(block)]

    def key(cell: tuple[int, int]) -> tuple[int, int]:
        diagonal = sum(cell)
        return diagonal, cell[0] if diagonal % 2 else cell[1]

    order = np.array([row * block + column for row, column in sorted(cells, key=key)])
    order.setflags(write=False)
    return order


@functools.cache
def dct_matrix(block: int) -> Float32[np.ndarray, "block_squared block_squared"]:
    r"""The orthonormal two-dimensional DCT-II of a flattened block, with rows in zigzag order.

    $$D_{uv,xy} = \tfrac{2}{B} a(u) a(v) \cos\tfrac{(2x+1) u \pi}{2B} \cos\tfrac{(2y+1) v \pi}{2B},
    \quad a(0) = \tfrac{1}{\sqrt 2},\ \text{otherwise } 1$$
    """
    frequency, place = np.arange(block)[:, None], np.arange(block)[None]
    one_dimensional = np.sqrt(2 / block) * np.cos((2 * place + 1) * frequency * np.pi / (2 * block))
    one_dimensional[0] /= np.sqrt(2)
    matrix = np.kron(one_dimensional, one_dimensional)[zigzag(block)].astype(np.float32)
    matrix[0] = 1 / block  # exactly, so that means at the boundary of two values are rounded as in libjpeg
    matrix.setflags(write=False)
    return matrix


@functools.cache
def quantization_tables(
    quality: int, block: int = 8, resize: Literal["nearest", "bilinear"] = "nearest"
) -> Int[np.ndarray, "2 block_squared"]:
    r"""Steps of luma and chroma in zigzag order, by the Independent JPEG Group's rule.

    $$s = \begin{cases} \lfloor 5000 / Q \rfloor & Q < 50 \\ 200 - 2 Q & Q \ge 50 \end{cases}, \qquad
    T_Q = \mathrm{clip}(\lfloor (T_{50}\, s + 50) / 100 \rfloor, 1, 255)$$

    For blocks other than 8 x 8 the tables of quality 50 are resized: index u of a block stands for the frequency of
    index 8 u / B, rounded down by `nearest`.
    """
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    base = np.array([_LUMA_50, _CHROMA_50], np.float64)
    source = np.arange(block) * 8 / block
    if resize == "nearest":
        index = source.astype(int)
        base = base[:, index][:, :, index]
    else:
        weights = np.maximum(0, 1 - np.abs(np.clip(source, 0, 7)[:, None] - np.arange(8)))
        base = np.floor(weights @ base @ weights.T + 0.5)
    tables = np.clip((base * scale + 50) // 100, 1, 255).astype(np.int32).reshape(2, -1)[:, zigzag(block)]
    tables.setflags(write=False)
    return tables


def blocks_of(plane: np.ndarray, block: int) -> Float32[np.ndarray, "blocks block_squared"]:
    """The blocks of a plane whose size is a multiple, in raster order, flattened."""
    rows, columns = plane.shape[0] // block, plane.shape[1] // block
    split = plane.reshape(rows, block, columns, block).transpose(0, 2, 1, 3)
    return split.reshape(rows * columns, block * block).astype(np.float32)


def plane_of(
    blocks: Float32[np.ndarray, "blocks block_squared"], rows: int, columns: int
) -> Float32[np.ndarray, "height width"]:
    """The inverse of `blocks_of`."""
    block = round(blocks.shape[1] ** 0.5)
    return blocks.reshape(rows, columns, block, block).transpose(0, 2, 1, 3).reshape(rows * block, columns * block)


def quantize(
    coefficients: Float32[np.ndarray, "blocks channels"], table: Int[np.ndarray, "channels"]
) -> Int16[np.ndarray, "blocks channels"]:
    """Coefficients divided by their steps and rounded to the nearest integer, halves away from zero (jcdctmgr.c)."""
    quotients = coefficients / table.astype(np.float32)
    return np.trunc(quotients + np.copysign(np.float32(0.5), quotients)).astype(np.int16)


@functools.cache
def largest_values(tables: tuple[tuple[int, ...], ...], block: int) -> Int[np.ndarray, "2 block_squared"]:
    r"""The largest size of each quantised coefficient: $128 \sum_{xy} |D_{uv,xy}| / T$, rounded, at least 1."""
    bounds = 128 * np.abs(dct_matrix(block).astype(np.float64)).sum(axis=1)
    return np.maximum(np.floor(bounds / np.array(tables) + 0.5), 1).astype(np.int32)
