r"""Distances between sets of features, in double precision (paper, evaluation).

All are biased by the number of samples: compare sets of equal size only.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from onepaper.errors import UsageError
from scipy.spatial.distance import cdist

from dct_transformer.evaluation.haar import haar_features

NEIGHBOURS = 3
Features = Float[np.ndarray, "count dim"]


class Comparison(NamedTuple):
    """A set of pictures against references."""

    fd_haar: float
    """Frechet distance of pooled features"""
    sfd_haar: float
    """Frechet distance of spatial features"""
    precision: float
    """part of the pictures that are near a reference"""
    recall: float
    """part of the references that are near a picture"""


def compare(
    pictures: UInt8[np.ndarray, "count height width 3"], references: UInt8[np.ndarray, "other height width 3"]
) -> Comparison:
    """All distances between two sets of pictures; features are divided by their standard deviation in the references.

    Raises:
        UsageError: fewer than four pictures, or sizes that the features do not take.
    """
    found, real = haar_features(pictures), haar_features(references)
    pooled, spatial = (_scaled(*pair) for pair in zip(found, real, strict=True))
    precision, recall = precision_recall(*pooled)
    return Comparison(frechet_distance(*pooled), frechet_distance(*spatial), precision, recall)


def frechet_distance(first: Features, second: Features) -> float:
    r"""$|m_1 - m_2|^2 + \mathrm{tr}(S_1 + S_2 - 2 (S_1 S_2)^{1/2})$ of the means and unbiased covariances.

    The trace of the root is the sum of the roots of the eigenvalues of $S_1^{1/2} S_2 S_1^{1/2}$, which is symmetric;
    eigenvalues and results below 0 by rounding are taken as 0.

    Raises:
        UsageError: fewer than two samples, other widths, or features that are not finite.
    """
    _check(first, second, 2)
    difference = first.mean(0) - second.mean(0)
    one, two = (np.atleast_2d(np.cov(features, rowvar=False)) for features in (first, second))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    product = np.linalg.eigvalsh(root @ two @ root).clip(0)
    return max(float(difference @ difference + np.trace(one) + np.trace(two) - 2 * np.sqrt(product).sum()), 0.0)


def precision_recall(found: Features, real: Features, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """The part of `found` within the balls of `real`, and of `real` within those of `found`.

    The ball of a sample reaches to its k-th nearest neighbour in its own set (Kynkäänniemi et al., 2019).

    Raises:
        UsageError: not more samples than `neighbours`, other widths, or features that are not finite.
    """
    _check(found, real, neighbours + 1)

    def covered(points: Features, centres: Features) -> float:
        # The nearest of its own set is the sample itself.
        radii = np.partition(cdist(centres, centres), neighbours, axis=1)[:, neighbours]
        return float((cdist(points, centres) <= radii).any(axis=1).mean())

    return covered(found, real), covered(real, found)


def _scaled(found: Features, real: Features) -> tuple[Features, Features]:
    scale = np.maximum(real.std(axis=0), 1e-6)
    return found / scale, real / scale


def _check(first: Features, second: Features, least: int) -> None:
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise UsageError(f"features have shapes {first.shape} and {second.shape}, expected [count, dim] of equal dim")
    if min(len(first), len(second)) < least:
        raise UsageError(f"there are {len(first)} and {len(second)} pictures, expected at least {least} of each")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise UsageError("features are not finite; look for pictures that are not")
