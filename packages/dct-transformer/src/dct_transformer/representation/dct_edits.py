"""Changes of an image that need its coefficients only: crops at block boundaries, mirroring, other tables."""

from dataclasses import replace

import numpy as np
from jaxtyping import Int
from onepaper.errors import UsageError

from dct_transformer.representation.dct_image import DctImage, block_grid
from dct_transformer.representation.transform import zigzag


def unit_size(image: DctImage) -> tuple[int, int]:
    """Height and width in pixels of the smallest part that holds complete blocks of all planes."""
    rows, columns = (max(steps[axis] for steps in image.steps) for axis in (0, 1))
    return rows * image.block, columns * image.block


def crop(image: DctImage, top: int, left: int, height: int, width: int) -> DctImage:
    """The part of an image that starts at a multiple of the unit size, with the same coefficients.

    Raises:
        UsageError: another place, or a part that reaches beyond the image.
    """
    unit = unit_size(image)
    if top % unit[0] or left % unit[1] or min(top, left) < 0:
        raise UsageError(f"a crop starts at row {top}, column {left}, expected multiples of {unit[0]} and {unit[1]}")
    if min(height, width) < 1 or top + height > image.height or left + width > image.width:
        raise UsageError(
            f"a crop of {width} x {height} pixels at row {top}, column {left} is not within an image of "
            f"{image.width} x {image.height}"
        )
    planes = []
    for plane, steps in zip(image.planes, image.steps, strict=True):
        row, column = top // (steps[0] * image.block), left // (steps[1] * image.block)
        rows, columns = block_grid(height, width, image.block, steps)
        planes.append(plane[row : row + rows, column : column + columns])
    return replace(image, height=height, width=width, planes=tuple(planes))


def mirror(image: DctImage) -> DctImage:
    """An image mirrored left to right: blocks in reverse order, and odd horizontal frequencies negated.

    Raises:
        UsageError: a width that is no multiple of the unit size, where the incomplete block would move to the left.
    """
    if image.width % unit_size(image)[1]:
        raise UsageError(f"the width is {image.width}, expected a multiple of {unit_size(image)[1]} to mirror")
    sign = np.where(zigzag(image.block) % image.block % 2, -1, 1).astype(np.int16)
    return replace(image, planes=tuple(plane[:, ::-1] * sign for plane in image.planes))


def change_tables(image: DctImage, tables: tuple[Int[np.ndarray, "block_squared"], ...]) -> DctImage:
    """An image with other quantisation tables: each coefficient times its old step is rounded to the new one.

    With equal tables it is unchanged. Otherwise it has been quantised twice, and has at most as much detail.

    Args:
        image: one or three planes.
        tables: of Y, Cb and Cr; of a grey image the first one counts.
    """
    planes = []
    for plane, old, new in zip(image.planes, image.tables, tables, strict=False):
        # Halves away from zero, in integers.
        sizes = np.abs(plane.astype(np.int64)) * old
        planes.append((np.sign(plane) * ((2 * sizes + new) // (2 * new))).astype(np.int16))
    return replace(image, planes=tuple(planes), tables=tables[: len(planes)])


def with_chroma(image: DctImage, steps: tuple[int, int], table: Int[np.ndarray, "block_squared"]) -> DctImage:
    """A grey image as one in colour, whose chroma is 0; one in colour is unchanged.

    Args:
        image: one or three planes.
        steps: luma blocks for one block of chroma.
        table: of chroma.
    """
    if len(image.planes) == 3:
        return image
    empty = np.zeros((*block_grid(image.height, image.width, image.block, steps), image.block**2), np.int16)
    return replace(
        image,
        planes=(*image.planes, empty, empty),
        tables=(*image.tables, table, table),
        steps=(*image.steps, steps, steps),
    )
