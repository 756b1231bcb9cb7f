"""More distances between sets of pictures, given their features, in double precision (paper, section 3.2.2).

Features have names of their own: a Frechet distance is called FID only where the features are those of its network,
which is not part of this package. Sets of different sizes are compared by `frechet_infinity` only, since the others
depend on the number of samples.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from onepaper.config import check_between
from onepaper.errors import OnePaperError, UsageError

from imagen3.evaluation.distances import Features, check_shapes, checked, frechet

CMMD_WIDTH = 10.0

# Parts of a set from which its distance at infinity is extrapolated.
SIZES = 15


def frechet_infinity(first: Features, second: Features, generator: np.random.Generator) -> tuple[float, float]:
    """The distance for infinitely many samples of the second set, and the slope in 1/n (Chong and Forsyth, 2020).

    A line through the distances of random parts, from a tenth of the samples to all of them, against one over their
    number.

    Raises:
        UsageError: fewer than 20 samples in the second set, or as of `frechet`.
    """
    first, second = checked(first, second)
    if len(second) < 20:
        raise UsageError(f"there are {len(second)} samples, expected at least 20 to extrapolate their number")
    sizes = np.linspace(max(len(second) // 10, 2), len(second), SIZES).astype(int)
    parts = [second[generator.choice(len(second), size, replace=False)] for size in sizes]
    distances = [frechet(first, part).distance for part in parts]
    slope, intercept = np.polyfit(1 / sizes, distances, 1)
    return float(intercept), float(slope)


def kid(
    first: Features, second: Features, generator: np.random.Generator, *, subsets: int = 100, size: int = 1000
) -> tuple[float, float]:
    r"""Mean and standard deviation over random subsets of the squared discrepancy for $(x \cdot y / d + 1)^3$.

    Without the diagonal, so that it is unbiased and may be below 0 (Binkowski et al., 2018).

    Args:
        first: features.
        second: features.
        generator: of the subsets.
        subsets: number of subsets.
        size: samples of a subset, at most those of the smaller set.

    Raises:
        UsageError: as of `frechet`, or a size out of range.
    """
    first, second = checked(first, second)
    check_between("size of the subsets", size, 2, min(len(first), len(second)))
    found, dim = [], first.shape[1]
    for _ in range(subsets):
        x, y = (own[generator.choice(len(own), size, replace=False)] for own in (first, second))
        within = 0.0
        for own in (x, y):
            kernel = (own @ own.T / dim + 1) ** 3
            within += (kernel.sum() - np.trace(kernel)) / (size * (size - 1))
        found.append(within - 2 * ((x @ y.T / dim + 1) ** 3).mean())
    return float(np.mean(found)), float(np.std(found))


def cmmd(first: Features, second: Features, *, block: int = 1024) -> float:
    r"""1000 times the squared discrepancy of features of unit length, for $\exp(-|x - y|^2 / (2 \cdot 10^2))$.

    The diagonal is included (Jayasumana et al., 2024). All kernel values are near 1, so that their differences from 1
    are summed instead, in double precision; features are moved by their mean, so that products in single precision keep
    their digits.

    Args:
        first: features; they are scaled to unit length.
        second: features.
        block: rows at a time, which bounds the memory.

    Raises:
        UsageError: as of `frechet`.
        OnePaperError: a feature vector of zeros, or one that is not finite.
    """
    check_shapes(first, second)
    norms = [_norms(own) for own in (first, second)]
    centre = (first / norms[0]).mean(0, dtype=np.float64)
    # The exponent of a pair is the product of a row of the one form and a row of the other.
    forms = [_exponent_forms(own, norm, centre) for own, norm in zip((first, second), norms, strict=True)]

    def mean_deficit(one: int, two: int) -> float:
        (a, _), (_, b), total = forms[one], forms[two], 0.0
        for begin in range(0, len(a), block):
            # A symmetric matrix: blocks right of the diagonal count twice.
            for other in range(begin if one == two else 0, len(b), block):
                exponents = a[begin : begin + block] @ b[other : other + block].T
                np.minimum(exponents, 0, out=exponents)
                part = np.expm1(exponents, out=exponents).sum(dtype=np.float64)
                total += part * (2 if one == two and other > begin else 1)
        return total / (len(a) * len(b))

    return 1000 * max(mean_deficit(0, 0) + mean_deficit(1, 1) - 2 * mean_deficit(0, 1), 0.0)


def _norms(features: Features) -> Float[np.ndarray, "count 1"]:
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    if not np.isfinite(norms).all():
        raise OnePaperError("features are not finite; look for pictures that are not, or use another extractor")
    if not norms.all():
        raise OnePaperError("a feature vector is zero and has no direction; look for pictures without content")
    return norms


def _exponent_forms(
    features: Features, norms: Float[np.ndarray, "count 1"], centre: Float[np.ndarray, " dim"]
) -> tuple[Float[np.ndarray, "count dim2"], Float[np.ndarray, "count dim2"]]:
    r"""Rows $(x, -|x|^2/2, 1)$ and $(x, 1, -|x|^2/2)$ of centred unit vectors over the width of the kernel."""
    left = np.empty((len(features), features.shape[1] + 2), np.float32)
    left[:, :-2] = (features / norms - centre) / CMMD_WIDTH
    half = -np.square(left[:, :-2], dtype=np.float32).sum(1, dtype=np.float64) / 2
    right = left.copy()
    left[:, -2], left[:, -1] = half, 1
    right[:, -2], right[:, -1] = 1, half
    return left, right


class Neighbours(NamedTuple):
    """Precision and recall (Kynkaanniemi et al., 2019), density and coverage (Naeem et al., 2020)."""

    precision: float
    recall: float
    density: float
    coverage: float


def neighbour_scores(real: Features, drawn: Features, *, nearest: int = 5, block: int = 1024) -> Neighbours:
    """How many drawn samples lie among the real ones, and the other way round, by distances to the k-th neighbour.

    Precision: drawn samples inside the ball of some real one. Recall: real samples inside the ball of some drawn one.
    Density: balls of real samples around a drawn one, over k. Coverage: real samples whose ball holds a drawn one.

    Raises:
        UsageError: as of `frechet`, or no more than k samples.
    """
    real, drawn = checked(real, drawn)
    check_between("number of neighbours", nearest, 1, min(len(real), len(drawn)) - 1)

    def squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T).clip(0)

    def radii(own: np.ndarray) -> Float[np.ndarray, " count"]:
        parts = [squares(own[begin : begin + block], own) for begin in range(0, len(own), block)]
        return np.concatenate([np.partition(part, nearest, axis=1)[:, nearest] for part in parts])

    real_radii, drawn_radii = radii(real), radii(drawn)
    inside, recalled, covered = [], [], []
    for begin in range(0, len(drawn), block):
        inside.append((squares(drawn[begin : begin + block], real) <= real_radii).sum(1))
    for begin in range(0, len(real), block):
        part = squares(real[begin : begin + block], drawn)
        recalled.append((part <= drawn_radii).any(1))
        covered.append(part.min(1) <= real_radii[begin : begin + block])
    counts = np.concatenate(inside)
    return Neighbours(
        float((counts > 0).mean()),
        float(np.concatenate(recalled).mean()),
        float(counts.mean() / nearest),
        float(np.concatenate(covered).mean()),
    )
