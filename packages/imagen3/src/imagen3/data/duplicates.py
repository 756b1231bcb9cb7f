"""Pictures that are the same but for compression, size or small changes (paper, section 2)."""

import numpy as np
from einops import rearrange
from jaxtyping import Int, UInt8
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# Pictures are compared as so many by so many means of colours: colours and layout have to agree, so that drawings that
# are alike in structure only are not taken for copies.
THUMBNAIL = 8

# Root mean square difference of 8-bit values up to which two pictures are the same.
TOLERANCE = 4.0


def duplicate_groups(
    pictures: UInt8[np.ndarray, "count height width 3"], tolerance: float = TOLERANCE, *, block: int = 1024
) -> Int[np.ndarray, " count"]:
    r"""The number of the group of each picture: pictures that a chain of duplicates joins have the same one.

    Two pictures are duplicates where the root mean square difference of their thumbnails is at most `tolerance`.

    Args:
        pictures: of one size, a multiple of 8 pixels.
        tolerance: in 8-bit values.
        block: pictures that are compared with all at a time, which bounds the memory.
    """
    cells = rearrange(pictures, "n (g h) (k w) c -> n (g k c) (h w)", g=THUMBNAIL, k=THUMBNAIL)
    thumbnails = cells.mean(2, dtype=np.float64)
    norms, limit = np.square(thumbnails).sum(1), tolerance**2 * thumbnails.shape[1]
    first, second = [], []
    for begin in range(0, len(thumbnails), block):
        part = slice(begin, begin + block)
        squares = norms[part, None] + norms - 2 * thumbnails[part] @ thumbnails.T
        rows, columns = np.nonzero(squares <= limit)
        first.append(rows + begin)
        second.append(columns)
    pairs = np.concatenate(first), np.concatenate(second)
    joined = coo_array((np.ones(len(pairs[0]), bool), pairs), shape=(len(thumbnails),) * 2)
    return connected_components(joined, directed=False)[1]
