"""Features of pictures that need no trained network: moduli of Haar wavelets, pooled and in their places.

They are a small scattering transform (Bruna and Mallat, 2013) and stand for the pooled and the spatial features of a
trained network, with which FID and sFID are defined. Distances between them have names of their own, FD-Haar and
sFD-Haar, and do not compare with published ones.
"""

from typing import NamedTuple

import numpy as np
from einops import rearrange, reduce
from jaxtyping import Float, UInt8
from onepaper.errors import UsageError

from dct_transformer.representation.transform import rgb_to_ycbcr

# Cells of a side in which the spatial features are means.
GRID = 4
PLANES = 3


class HaarFeatures(NamedTuple):
    """Two views of the same pictures."""

    pooled: Float[np.ndarray, "count 48"]
    """means over the whole picture: of each plane its mean, and moduli of the first and second order"""
    spatial: Float[np.ndarray, "count 192"]
    """means in each cell of a grid of 4 by 4: of each plane its mean and the moduli of the finest scale"""


def haar(planes: Float[np.ndarray, "*axes height width"]) -> tuple[np.ndarray, np.ndarray]:
    """Means of squares of 2 by 2, [*axes, height / 2, width / 2], and their three differences, [*axes, 3, ...]."""
    corners = rearrange(planes, "... (h p) (w q) -> p q ... h w", p=2, q=2)
    (a, b), (c, d) = corners
    differences = np.stack([a + b - c - d, a - b + c - d, a - b - c + d], axis=-3)
    return corners.mean(axis=(0, 1)), np.abs(differences) / 4


def haar_features(pictures: UInt8[np.ndarray, "count height width 3"]) -> HaarFeatures:
    """Features of RGB pictures.

    Raises:
        UsageError: sides that are no multiples of 8.
    """
    if pictures.ndim != 4 or pictures.shape[3] != 3 or any(side % 8 for side in pictures.shape[1:3]):
        raise UsageError(
            f"pictures have shape {pictures.shape}, expected [count, height, width, 3] with multiples of 8; crop them"
        )
    planes = np.stack([rgb_to_ycbcr(picture) for picture in pictures]).astype(np.float64)
    means, first = haar(planes)
    _, coarse = haar(means)
    _, second = haar(first)
    orders = [
        reduce(planes, "n p h w -> n p 1", "mean"),
        reduce(first, "n p k h w -> n p k", "mean"),
        reduce(coarse, "n p k h w -> n p k", "mean"),
        reduce(second, "n p k l h w -> n p (k l)", "mean"),
    ]
    pooled = rearrange(np.concatenate(orders, axis=2), "n p f -> n (p f)")
    local = np.concatenate([means[:, :, None], first], axis=2)
    spatial = reduce(local, "n p k (g h) (j w) -> n (p k g j)", "mean", g=GRID, j=GRID)
    return HaarFeatures(pooled, spatial)
