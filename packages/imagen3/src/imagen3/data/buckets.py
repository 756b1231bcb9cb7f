"""Sizes of pictures with several aspect ratios and about one area, and batches of one size each.

A picture goes to the size whose ratio is nearest on a logarithmic scale, is resized to cover it, and cropped at the
centre, so that nothing is distorted.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from onepaper.config import check_positive
from onepaper.data import rank_slice
from onepaper.errors import UsageError
from PIL import Image, ImageOps

Size = tuple[int, int]

# Of the longer to the shorter side, and the largest relative difference of the areas.
LARGEST_RATIO, TOLERANCE = 4.0, 0.1


def bucket_sizes(area: int, step: int) -> list[Size]:
    """For each height in multiples of `step` the largest width whose area is not above `area`, the widest first.

    Args:
        area: in pixels.
        step: pixels; factor * patch of the networks.

    Raises:
        UsageError: there is no such size.
    """
    check_positive("step", step)
    heights = range(step, math.floor(math.sqrt(area * LARGEST_RATIO)) + 1, step)
    found = [(height, area // height // step * step) for height in heights]
    fitting = [
        (height, width)
        for height, width in found
        if height * width >= (1 - TOLERANCE) * area and max(height, width) <= LARGEST_RATIO * min(height, width)
    ]
    if not fitting:
        raise UsageError(f"no size in multiples of {step} has about {area:,} pixels; use a smaller step")
    return fitting


def bucket_of(height: int, width: int, sizes: Sequence[Size]) -> int:
    """The number of the size with the nearest ratio."""
    ratios = np.log([own[0] / own[1] for own in sizes])
    return int(np.abs(ratios - math.log(height / width)).argmin())


def cover(pixels: UInt8[np.ndarray, "h w 3"], size: Size) -> UInt8[np.ndarray, "height width 3"]:
    """A picture resized to cover a size, and cropped at its centre."""
    return np.asarray(ImageOps.fit(Image.fromarray(pixels), (size[1], size[0]), Image.Resampling.LANCZOS))


class Ragged:
    """Arrays or tensors of several sizes as one, whose rows are asked for by number, in a batch of one size.

    Args:
        parts: the rows of each size.
        order: the number of each row of the joined parts.
    """

    def __init__(self, parts: Sequence[Any], order: Int[np.ndarray, " count"]) -> None:
        lengths = [len(part) for part in parts]
        self.parts, self.order = list(parts), order
        self.buckets, self._rows = np.empty_like(order), np.empty_like(order)
        self.buckets[order] = np.repeat(np.arange(len(parts)), lengths)
        self._rows[order] = np.concatenate([np.arange(length) for length in lengths])

    @classmethod
    def of(cls, rows: Sequence[np.ndarray]) -> "Ragged":
        """Rows of any sizes."""
        shapes = sorted({row.shape for row in rows})
        members = [[number for number, row in enumerate(rows) if row.shape == shape] for shape in shapes]
        parts = [np.stack([rows[number] for number in own]) for own in members]
        return cls(parts, np.concatenate([np.array(own) for own in members]))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, numbers: Int[np.ndarray, " batch"]) -> Any:
        """The rows of these numbers, all of one part."""
        own = np.unique(self.buckets[numbers])
        if len(own) != 1:
            raise UsageError(f"rows of {len(own)} sizes are asked for at once, expected one; split the numbers")
        return self.parts[own[0]][self._rows[numbers]]


def same_size(rows: Any, numbers: Int[np.ndarray, " some"], largest: int) -> list[Int[np.ndarray, " _part"]]:
    """Numbers of rows of an array or of a `Ragged` in parts of one size and at most `largest` of them."""
    buckets = rows.buckets[numbers] if isinstance(rows, Ragged) else np.zeros(len(numbers), np.int64)
    groups = [numbers[buckets == bucket] for bucket in np.unique(buckets)]
    return [group[begin : begin + largest] for group in groups for begin in range(0, len(group), largest)]


class BucketSampler:
    r"""The indices of batch number `step`, all of one bucket, as a function without state.

    Buckets are drawn in proportion to their batches. In an epoch a picture of weight w is there $\lfloor w \rfloor$ or
    $\lceil w \rceil$ times, and w times in the mean, by systematic sampling from a random order (Madow, 1949): once
    where weights are equal. Those that fill up the last batch of a bucket are drawn from it again. The order is a
    function of (seed, epoch).

    Args:
        buckets: number of the bucket of each picture.
        batch_size: of the global batch, over all processes.
        weights: how often each picture is drawn, relative to the mean; all equally often by default.
        seed: of the order.
        rank: index of this process.
        world: number of processes.
    """

    def __init__(
        self,
        buckets: Int[np.ndarray, " count"],
        batch_size: int,
        *,
        weights: Float[np.ndarray, " count"] | None = None,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        check_positive("number of pictures", len(buckets))
        check_positive("batch size", batch_size)
        weights = np.ones(len(buckets)) if weights is None else np.asarray(weights, np.float64)
        if not (np.isfinite(weights).all() and weights.min() >= 0 and weights.sum() > 0):
            raise UsageError("weights of pictures are not finite, below 0 or all 0; expected how often each is drawn")
        self._buckets, self._weights = buckets, weights / weights.mean()
        self._batch, self._seed, self._slice = batch_size, seed, rank_slice(batch_size, rank, world)
        # A weight is rounded at random in an epoch, but the number of batches is one for all epochs.
        totals = np.bincount(np.unique(buckets, return_inverse=True)[1], self._weights)
        self._batches = np.ceil(totals / batch_size - 1e-9).astype(np.int64)
        self.batches = int(self._batches.sum())
        """of an epoch"""
        self._epoch, self._order = -1, np.empty((0, batch_size), np.int64)

    def __call__(self, step: int) -> Int[np.ndarray, " part"]:
        """Indices of this process's part of batch `step`."""
        epoch, position = divmod(step, self.batches)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._shuffled(epoch)
        return self._order[position][self._slice]

    def _shuffled(self, epoch: int) -> Int[np.ndarray, "batches batch"]:
        generator = np.random.default_rng([self._seed, epoch])
        rows = []
        for bucket, batches in zip(np.unique(self._buckets), self._batches, strict=True):
            if not batches:  # all weights are 0
                continue
            order = generator.permutation(np.flatnonzero(self._buckets == bucket))
            # Points at distance 1 from a random start: a picture is there once for each point in its interval.
            ends = np.cumsum(self._weights[order]) + generator.random()
            drawn = np.repeat(order, np.diff(np.floor(ends + 1e-9), prepend=0).astype(np.int64))
            if not len(drawn):  # of a bucket whose weights are below 1 together
                drawn = generator.choice(order, 1, p=self._weights[order] / self._weights[order].sum())
            rows.append(np.resize(generator.permutation(drawn), (batches, self._batch)))
        return generator.permutation(np.concatenate(rows))
