r"""Distances between sets of features, in double precision (paper, evaluation).

All are biased by the number of samples: compare sets of equal size only.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from onepaper.errors import UsageError
from scipy.spatial.distance import cdist

from dct_transformer.evaluation.haar import haar_features

NEIGHBOURS = 3
# Rows of a matrix of distances that are in memory at a time.
BLOCK = 1024
Features = Float[np.ndarray, "count dim"]


class FeatureSource(NamedTuple):
    """Features of pictures, and the names of the Frechet distances between them."""

    pooled: str
    """name of the distance of features of whole pictures"""
    spatial: str
    """name of that of features in their places"""
    extract: Callable[[Any], tuple[Features, Features]]
    """pooled and spatial features of pictures, uint8 [count, height, width, 3]"""
    scaled: bool = False
    """whether features are divided by their standard deviation in the references"""


HAAR = FeatureSource("fd_haar", "sfd_haar", haar_features, scaled=True)


def compare(
    found: tuple[Features, Features], real: tuple[Features, Features], source: FeatureSource = HAAR
) -> dict[str, float]:
    """The two Frechet distances of a source, by their names; precision and recall, of its pooled features.

    Args:
        found: what `source.extract` gives of the pictures.
        real: the same of the references.
        source: of the features.

    Raises:
        UsageError: fewer than four pictures of either, or features that are not finite.
    """
    pooled, spatial = zip(found, real, strict=True)
    if source.scaled:
        pooled, spatial = _scaled(*pooled), _scaled(*spatial)
    precision, recall = precision_recall(*pooled)
    return {
        source.pooled: frechet_distance(*pooled),
        source.spatial: frechet_distance(*spatial),
        "precision": precision,
        "recall": recall,
    }


def frechet_distance(first: Features, second: Features) -> float:
    r"""$|m_1 - m_2|^2 + \mathrm{tr}(S_1 + S_2 - 2 (S_1 S_2)^{1/2})$ of the means and unbiased covariances.

    The trace of the root is the nuclear norm of the product of the centred features, $\|X_1 X_2^T\|_* /
    \sqrt{(n_1 - 1)(n_2 - 1)}$: no root of a matrix is needed. Results below 0 by rounding are taken as 0.

    Raises:
        UsageError: fewer than two samples, other widths, or features that are not finite.
    """
    _check(first, second, 2)
    centred = [features - features.mean(0) for features in (first, second)]
    # R of a QR decomposition has the same products as the features, and at most as many rows as dimensions.
    reduced = [np.asarray(np.linalg.qr(own, mode="r")) if len(own) > own.shape[1] else own for own in centred]
    root = np.linalg.svd(reduced[0] @ reduced[1].T, compute_uv=False).sum()
    traces = sum(np.square(own).sum() / (len(own) - 1) for own in centred)
    difference = first.mean(0) - second.mean(0)
    return max(float(difference @ difference + traces - 2 * root / np.sqrt((len(first) - 1) * (len(second) - 1))), 0.0)


def precision_recall(found: Features, real: Features, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """The part of `found` within the balls of `real`, and of `real` within those of `found`.

    The ball of a sample reaches to its k-th nearest neighbour in its own set (Kynkäänniemi et al., 2019).

    Raises:
        UsageError: not more samples than `neighbours`, other widths, or features that are not finite.
    """
    _check(found, real, neighbours + 1)

    def rows(points: Features, centres: Features) -> Iterator[np.ndarray]:
        return (cdist(points[begin : begin + BLOCK], centres) for begin in range(0, len(points), BLOCK))

    def covered(points: Features, centres: Features) -> float:
        # The nearest of its own set is the sample itself.
        nearest = [np.partition(part, neighbours, axis=1)[:, neighbours] for part in rows(centres, centres)]
        radii = np.concatenate(nearest)
        return float(np.concatenate([(part <= radii).any(axis=1) for part in rows(points, centres)]).mean())

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
