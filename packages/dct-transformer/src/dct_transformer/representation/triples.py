"""The sparse list of an image: its non-zero coefficients as sorted triples of channel, position and value.

A channel is a plane with a zigzag index, `plane * B^2 + index` for the planes Y, Cb, Cr; a position is a cell of the
grid of luma blocks in raster order, at whose upper left chroma blocks stand (paper, section 2 and figure 2).
"""

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt16
from onepaper.errors import UsageError

from dct_transformer.config import Order
from dct_transformer.representation.dct_image import DctImage, block_grid


class Triples(NamedTuple):
    """Channels, positions and values of a list, in its order."""

    channels: Int[np.ndarray, "length"]
    positions: Int[np.ndarray, "length"]
    values: Int[np.ndarray, "length"]

    def __getitem__(self, part: slice) -> "Triples":  # type: ignore[override]
        """A part of the list."""
        return Triples(self.channels[part], self.positions[part], self.values[part])

    @property
    def length(self) -> int:
        """Number of triples."""
        return len(self.channels)


class Layout:
    """The sorted pairs of channel and position that an image of given size and codec can have.

    The order of two triples is that of `key(channel, position) = channel_weight * rank[channel] +
    position_weight * position`.

    Args:
        height: pixels.
        width: pixels.
        block: B.
        steps: luma blocks for one block of each plane, vertically and horizontally.
        order: of the list.

    Attributes:
        rank: of each channel in the order.
        last: largest position of each channel.
    """

    def __init__(
        self, height: int, width: int, block: int, steps: tuple[tuple[int, int], ...], order: Order = "bands"
    ) -> None:
        self.height, self.width, self.block, self.steps, self.order = height, width, block, steps, order
        self.grid = block_grid(height, width, block, (1, 1))
        self.num_channels, self.num_positions = len(steps) * block * block, self.grid[0] * self.grid[1]
        self.rank = channel_ranks(len(steps), block, order)
        self.channel_weight, self.position_weight = (
            (1, self.num_channels) if order == "blocks" else (self.num_positions, 1)
        )
        self.plane_positions = tuple(self._positions(plane) for plane in range(len(steps)))
        self.last = np.repeat([positions[-1] for positions in self.plane_positions], block * block)

    def _positions(self, plane: int) -> Int[np.ndarray, "blocks"]:
        rows, columns = block_grid(self.height, self.width, self.block, self.steps[plane])
        across, down = np.arange(columns) * self.steps[plane][1], np.arange(rows) * self.steps[plane][0]
        return (down[:, None] * self.grid[1] + across).ravel()

    @functools.cached_property
    def has_block(self) -> Bool[np.ndarray, "planes positions"]:
        """Where each plane has a block."""
        found = np.zeros((len(self.steps), self.num_positions), bool)
        for plane, positions in enumerate(self.plane_positions):
            found[plane, positions] = True
        return found

    def keys(self, channels: Int[np.ndarray, "*axes"], positions: Int[np.ndarray, "*axes"]) -> Int[np.ndarray, "*axes"]:
        """The number by which lists are sorted, increasing; it identifies a pair."""
        return self.rank[channels].astype(np.int64) * self.channel_weight + positions * self.position_weight

    def to_triples(self, image: DctImage) -> Triples:
        """The list of an image of this layout.

        Raises:
            UsageError: another size, block or subsampling.
        """
        if (image.height, image.width, image.block, image.steps) != (self.height, self.width, self.block, self.steps):
            raise UsageError(
                f"an image of {image.width} x {image.height} pixels in blocks of {image.block} with steps "
                f"{image.steps} differs from the layout, {self.width} x {self.height}, {self.block}, {self.steps}"
            )
        parts: list[Triples] = []
        size = self.block**2
        for plane, (coefficients, places) in enumerate(zip(image.planes, self.plane_positions, strict=True)):
            by_channel = np.ascontiguousarray(coefficients.reshape(-1, size).T)
            occupied = by_channel != 0  # numpy lists the true values of booleans faster than non-zero integers
            listed = np.flatnonzero(occupied)
            channels = np.repeat(np.arange(size), np.count_nonzero(occupied, axis=1))
            blocks = listed - channels * len(places)
            parts.append(Triples(channels + plane * size, places[blocks], by_channel.ravel()[listed]))
        joined = Triples(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
        order = np.argsort(self.keys(joined.channels, joined.positions), kind="stable")
        return Triples(
            joined.channels[order].astype(np.int32),
            joined.positions[order].astype(np.int32),
            joined.values[order].astype(np.int32),
        )

    def to_image(self, triples: Triples, tables: tuple[Int[np.ndarray, "block_squared"], ...]) -> DctImage:
        """The image of a list, which may be any prefix of a complete one.

        Raises:
            UsageError: as `check`.
        """
        self.check(triples)
        size = self.block**2
        planes = []
        for plane, places in enumerate(self.plane_positions):
            index = np.full(self.num_positions, -1)
            index[places] = np.arange(len(places))
            chosen = triples.channels // size == plane
            coefficients = np.zeros((len(places), size), np.int16)
            coefficients[index[triples.positions[chosen]], triples.channels[chosen] % size] = triples.values[chosen]
            grid = block_grid(self.height, self.width, self.block, self.steps[plane])
            planes.append(coefficients.reshape(*grid, size))
        return DctImage(self.height, self.width, tuple(planes), tables, self.steps)

    def check(self, triples: Triples) -> None:
        """Raise `UsageError` unless a list is sorted, without duplicates, and within the layout."""
        channels, positions, values = (np.asarray(array) for array in triples)
        if not channels.shape == positions.shape == values.shape or channels.ndim != 1:
            raise UsageError(f"channels, positions and values have shapes {channels.shape}, {positions.shape}, "
                             f"{values.shape}, expected one length")  # fmt: skip
        if not len(channels):
            return
        for name, array, count in (
            ("channel", channels, self.num_channels),
            ("position", positions, self.num_positions),
        ):
            if array.min() < 0 or array.max() >= count:
                raise UsageError(f"{name}s are {array.min()} to {array.max()}, expected 0 to {count - 1}")
        if not values.all():
            raise UsageError(f"value {int(values.argmin())} of the list is 0; zeros are not listed")
        if np.abs(values.astype(np.int64)).max() > np.iinfo(np.int16).max:
            raise UsageError(f"values are {values.min()} to {values.max()}, expected 16-bit integers")
        if not self.has_block[channels // self.block**2, positions].all():
            wrong = int(self.has_block[channels // self.block**2, positions].argmin())
            raise UsageError(f"channel {channels[wrong]} has no block at position {positions[wrong]}")
        keys = self.keys(channels, positions)
        if not (np.diff(keys) > 0).all():
            raise UsageError(
                f"triple {int((np.diff(keys) <= 0).argmax()) + 1} of the list is not after the one before it; "
                "sort the list, and list each pair of channel and position once"
            )


@functools.cache
def channel_ranks(planes: int, block: int, order: Order) -> Int[np.ndarray, "channels"]:
    """The rank of each channel within an order.

    In `bands` the zigzag indices 0, 1 to 3, 4 to 15, ... are one band each, and in a band the planes follow as Y, Cr,
    Cb (paper, figure 2).
    """
    size = block * block
    plane, index = np.divmod(np.arange(planes * size), size)
    if order == "bands":
        band = band_of(index)
        keys = (index, np.array([0, 2, 1])[plane], band)
    else:
        keys = (plane, index)
    rank = np.empty(planes * size, np.int64)
    rank[np.lexsort(keys)] = np.arange(planes * size)
    rank.setflags(write=False)
    return rank


def band_of(index: Int[np.ndarray, "*axes"]) -> Int[np.ndarray, "*axes"]:
    """The frequency band of a zigzag index: 0 for 0, then b with 4^(b - 1) <= index < 4^b."""
    return np.searchsorted(4 ** np.arange(16, dtype=np.int64), index, side="right")


@functools.lru_cache(maxsize=256)
def layout_of(
    height: int, width: int, block: int, steps: tuple[tuple[int, int], ...], order: Order = "bands"
) -> Layout:
    """A layout, made once for each size."""
    return Layout(height, width, block, steps, order)


def image_to_triples(image: DctImage, order: Order = "bands") -> Triples:
    """The list of an image."""
    return layout_of(image.height, image.width, image.block, image.steps, order).to_triples(image)


def pack(triples: Triples) -> UInt16[np.ndarray, "length 3"]:
    """A list as 6 bytes a triple; the value is stored as its 16-bit two's complement.

    Raises:
        UsageError: a channel, position or value does not fit into 16 bits.
    """
    limits = ((0, 65_535), (0, 65_535), (-32_768, 32_767))
    for name, array, (low, high) in zip(Triples._fields, triples, limits, strict=True):
        if len(array) and not (low <= array.min() and array.max() <= high):
            raise UsageError(f"{name} are {array.min()} to {array.max()}, expected {low} to {high}")
    channels, positions, values = triples
    return np.stack(
        [channels.astype(np.uint16), positions.astype(np.uint16), values.astype(np.int16).view(np.uint16)], 1
    )


def unpack(packed: UInt16[np.ndarray, "length 3"]) -> Triples:
    """The inverse of `pack`."""
    if packed.dtype != np.uint16 or packed.ndim != 2 or packed.shape[1] != 3:
        raise UsageError(
            f"packed triples have shape {packed.shape} and type {packed.dtype}, expected uint16 [length, 3]"
        )
    channels, positions, values = np.ascontiguousarray(packed.T)
    return Triples(channels.astype(np.int32), positions.astype(np.int32), values.view(np.int16).astype(np.int32))
