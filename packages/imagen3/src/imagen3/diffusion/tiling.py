r"""A function of a large array by overlapping tiles, blended with raised-cosine windows.

The windows are 1 in the middle of a tile and fall as $(1 + \cos \pi x) / 2$ over the overlap. Values are sums over the
tiles divided by the sums of the windows, so that constants remain and no seam is visible (Bar-Tal et al., 2023).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from onepaper.fingerprint.marks import unmeasured
from torch import Tensor


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin: they overlap by at least `overlap`, and the last one ends at `length`.

    Raises:
        UsageError: the overlap is not from 0 to half of the tile.
    """
    if not 0 <= 2 * overlap <= tile:
        raise UsageError(f"the overlap is {overlap}, expected 0 to {tile // 2}, half of the tile")
    if length <= tile:
        return [0]
    count = -(-(length - tile) // (tile - overlap)) + 1
    return [index * (length - tile) // (count - 1) for index in range(count)]


def raised_cosine(length: int, overlap: int, *, first: bool, last: bool) -> Float[Tensor, " length"]:
    """The window of a tile along one axis; it does not fall towards an end of the whole array."""
    window = torch.ones(length, dtype=torch.float64)
    ramp = (1 - torch.cos(torch.pi * (torch.arange(overlap) + 0.5) / max(overlap, 1))) / 2
    if not first:
        window[:overlap] = ramp
    if not last:
        window[length - overlap :] *= ramp.flip(0)
    return window.float()


@unmeasured
def by_tiles(
    function: Callable[[slice, slice], Float[Tensor, "batch channels height width"]],
    size: tuple[int, int],
    tile: int,
    overlap: int,
    *,
    factor: int = 1,
) -> Float[Tensor, "batch channels height_out width_out"]:
    """Blend the values of a function of rows and columns.

    Args:
        function: values of a tile, whose sides are `factor` times those of its slices.
        size: height and width of the whole array.
        tile: side of a tile.
        overlap: of neighbouring tiles, at least.
        factor: size of the values for one row or column.
    """
    total, weights = None, None
    spans = []
    for length in size:
        starts = tile_starts(length, tile, overlap)
        side = min(tile, length)
        spans.append([(start, side, start == 0, start + side == length) for start in starts])
    for top, height, first_row, last_row in spans[0]:
        for left, width, first_column, last_column in spans[1]:
            values = function(slice(top, top + height), slice(left, left + width))
            if total is None:
                total = values.new_zeros(*values.shape[:2], size[0] * factor, size[1] * factor)
                weights = values.new_zeros(size[0] * factor, size[1] * factor)
            rows = raised_cosine(height * factor, overlap * factor, first=first_row, last=last_row)
            columns = raised_cosine(width * factor, overlap * factor, first=first_column, last=last_column)
            window = (rows[:, None] * columns).to(values)
            place = (
                slice(top * factor, (top + height) * factor),
                slice(left * factor, (left + width) * factor),
            )
            total[..., place[0], place[1]] += window * values
            assert weights is not None
            weights[place] += window
    assert total is not None
    assert weights is not None
    return total / weights
