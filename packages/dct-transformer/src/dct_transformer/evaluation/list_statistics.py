"""What the lists of a set of images are like: lengths, where their triples are, and how many bits counts need."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from dct_transformer.config import ChunkConfig
from dct_transformer.data.chunks import number_of_chunks
from dct_transformer.representation.triples import Triples, band_of

PLANES = ("Y", "Cb", "Cr")
QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)


class ListStatistics(NamedTuple):
    """Of lists with the same blocks."""

    lengths: Int[np.ndarray, "images"]
    """triples"""
    shares: Float[np.ndarray, "bands planes"]
    """part of all triples in each frequency band and plane"""
    largest: int
    """size of the largest value"""
    ones: float
    """part of the values that are 1 or -1"""
    channel_bits: float
    """entropy of the channels, in bits a triple: what an ideal code of their frequencies needs"""
    value_bits: float
    """entropy of the values given their channels"""
    chunks: Float[np.ndarray, "images"]
    """chunks of each list"""

    @property
    def packed_bytes(self) -> float:
        """Mean size of a list as 16-bit integers."""
        return 6 * float(self.lengths.mean())

    def quantiles(self) -> dict[str, int]:
        """Of the lengths."""
        return {f"{share:.0%}": int(np.quantile(self.lengths, share)) for share in QUANTILES}


def list_statistics(lists: Sequence[Triples], block: int, chunk: ChunkConfig) -> ListStatistics:
    """Statistics of at least one list that is not empty.

    Args:
        lists: of images with blocks of this size.
        block: B.
        chunk: length of the chunks.
    """
    channels, _, values = (np.concatenate(column) for column in zip(*lists, strict=True))
    size = block * block
    bands = int(band_of(np.array(size - 1))) + 1
    cells = band_of(channels % size) * len(PLANES) + channels // size
    shares = np.bincount(cells, minlength=bands * len(PLANES)).reshape(bands, -1) / max(len(channels), 1)
    _, pairs = np.unique(np.stack([channels, values]), axis=1, return_counts=True)
    channel_bits = _entropy(np.bincount(channels))
    lengths = np.array([triples.length for triples in lists])
    return ListStatistics(
        lengths,
        shares,
        int(np.abs(values).max(initial=0)),
        float((np.abs(values) == 1).mean()),
        channel_bits,
        _entropy(pairs) - channel_bits,
        np.array([number_of_chunks(int(length), chunk) for length in lengths]),
    )


def _entropy(counts: Int[np.ndarray, "kinds"]) -> float:
    part = counts[counts > 0] / counts.sum()
    return float(-(part * np.log(part)).sum() / math.log(2))
