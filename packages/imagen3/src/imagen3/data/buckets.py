"""Sizes of pictures with several aspect ratios and about one area, and batches of one size each.

A picture goes to the size whose ratio is nearest on a logarithmic scale, is resized to cover it, and cropped at the
centre, so that nothing is distorted.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt8
from onepaper.config import check_positive
from onepaper.data import rank_slice
from onepaper.errors import UsageError
from PIL import Image, ImageOps

Size = tuple[int, int]


def bucket_sizes(area: int, step: int, *, largest_ratio: float = 4.0, tolerance: float = 0.1) -> list[Size]:
    """For each height in multiples of `step` the largest width whose area is not above `area`, the widest first.

    Args:
        area: in pixels.
        step: pixels; factor * patch of the networks.
        largest_ratio: of the longer to the shorter side.
        tolerance: largest relative difference of the areas.

    Raises:
        UsageError: there is no such size.
    """
    check_positive("step", step)
    heights = range(step, math.floor(math.sqrt(area * largest_ratio)) + 1, step)
    found = [(height, area // height // step * step) for height in heights]
    fitting = [
        (height, width)
        for height, width in found
        if height * width >= (1 - tolerance) * area and max(height, width) <= largest_ratio * min(height, width)
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


class BucketSampler:
    """The indices of batch number `step`, all of one bucket, as a function without state.

    Buckets are drawn in proportion to their batches. In an epoch each picture is there once, but for those that fill up
    the last batch of a bucket, which are drawn from it a second time. The order is a function of (seed, epoch).

    Args:
        buckets: number of the bucket of each picture.
        batch_size: of the global batch, over all processes.
        seed: of the order.
        rank: index of this process.
        world: number of processes.
    """

    def __init__(
        self, buckets: Int[np.ndarray, " count"], batch_size: int, *, seed: int = 0, rank: int = 0, world: int = 1
    ) -> None:
        check_positive("number of pictures", len(buckets))
        check_positive("batch size", batch_size)
        self._members = [np.flatnonzero(buckets == bucket) for bucket in np.unique(buckets)]
        self._batch, self._seed, self._slice = batch_size, seed, rank_slice(batch_size, rank, world)
        self.batches = sum(-(-len(members) // batch_size) for members in self._members)
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
        for members in self._members:
            order = generator.permutation(members)
            missing = -len(order) % self._batch
            rows.append(np.concatenate([order, np.resize(order, missing)]).reshape(-1, self._batch))
        return generator.permutation(np.concatenate(rows))
