"""Pictures that are nearly the same, and weights of what is often there (paper, section 2).

Similar pictures have perceptual hashes that disagree in few bits: signs of the 64 lowest frequencies of the cosine
transform of 32 by 32 grey values. Frequencies near 0, of which symmetric drawings have many, have no sign, since
compression alone would change it. As drawings alike in structure only have such hashes too, colours and layout have to
agree as well.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIDE, LAYOUT = 32, 8
# Below this share of their root mean square, frequencies count as 0.
UNDECIDED = 0.1


class Traits(NamedTuple):
    """What is compared of a picture, and its size."""

    pixels: int
    hash: Float[np.ndarray, " bits"]
    layout: Float[np.ndarray, " values"]


def traits(pixels: UInt8[np.ndarray, "h w 3"]) -> Traits:
    """Those of a picture."""
    return Traits(pixels.shape[0] * pixels.shape[1], perceptual_hash(pixels), layout(pixels))


def perceptual_hash(pixels: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, " bits"]:
    """The signs -1, 0 or 1 of the lowest frequencies; that of the mean is 0."""
    image = Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    low = np.asarray(dctn(np.asarray(image, np.float64), norm="ortho"))[:LAYOUT, :LAYOUT].ravel()
    low[0] = 0
    return (np.sign(low) * (np.abs(low) > UNDECIDED * np.sqrt(np.square(low).mean()))).astype(np.float32)


def layout(pixels: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, " values"]:
    """Colours of 8 by 8 cells."""
    image = Image.fromarray(pixels).resize((LAYOUT, LAYOUT), Image.Resampling.BOX)
    return np.asarray(image, np.float32).ravel()


def similar_groups(
    hashes: Float[np.ndarray, "count bits"],
    layouts: Float[np.ndarray, "count values"],
    bits: int,
    tolerance: float,
    *,
    block: int = 512,
) -> Int[np.ndarray, " count"]:
    """The number of the group of each picture; groups are what a chain of similar pictures joins.

    Args:
        hashes: of all pictures.
        layouts: of all pictures.
        bits: most signs of two hashes that may be opposite.
        tolerance: largest root mean square difference of two layouts, in 8-bit values.
        block: pictures that are compared with all at a time, which bounds the memory.
    """
    decided = np.abs(hashes)
    colours = layouts - layouts.mean(0)
    norms, limit = np.square(colours).sum(1), tolerance**2 * layouts.shape[1]
    first, second = [], []
    for begin in range(0, len(hashes), block):
        part = slice(begin, begin + block)
        # Products of signs are 1 where they agree and -1 where they are opposite.
        opposite = (decided[part] @ decided[begin:].T - hashes[part] @ hashes[begin:].T) / 2
        distance = norms[part, None] + norms[begin:] - 2 * colours[part] @ colours[begin:].T
        rows, columns = np.nonzero((opposite <= bits + 0.5) & (distance <= limit))
        first.append(rows + begin)
        second.append(columns + begin)
    pairs = np.concatenate(first), np.concatenate(second)
    joined = coo_array((np.ones(len(pairs[0]), bool), pairs), shape=(len(hashes),) * 2)
    return connected_components(joined, directed=False)[1]


def group_weights(groups: Int[np.ndarray, " count"], exponent: float) -> Float[np.ndarray, " count"]:
    r"""$|g|^{-\alpha}$ of the group g of each picture, with mean 1; $\alpha = 1$ draws each group equally often."""
    weights = np.bincount(groups)[groups] ** -float(exponent)
    return weights / weights.mean()
