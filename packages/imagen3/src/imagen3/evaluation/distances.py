r"""Distances between two sets of features, in double precision (paper, section 3.2.2).

They are biased by the number of samples: compare sets of equal size only. None of them is the published FID, FD-DINO
or CMMD, which are these distances between features of networks that are not part of this package.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float
from onepaper.errors import OnePaperError, UsageError
from scipy.linalg.blas import dsyrk  # pyright: ignore

Features = Float[np.ndarray, "count dim"]

# A distance below 0 by more than this share of the traces is no rounding.
ROUNDING = 1e-6

# Rounding, which is relative to the largest eigenvalue, leaves the root of one below this share of it few digits.
SMALLEST_SHARE = 1e-13

# Rows at a time, which bounds the memory.
ROWS = 512

# Fourth powers of features and sums of them are finite below it.
LARGEST = 1e50


class Frechet(NamedTuple):
    """A Frechet distance, and what had to be corrected on the way."""

    distance: float
    notes: tuple[str, ...]


def frechet(first: Features, second: Features) -> Frechet:
    r"""$|m_1 - m_2|^2 + \mathrm{tr}(S_1) + \mathrm{tr}(S_2) - 2\,\mathrm{tr}((S_1 S_2)^{1/2})$.

    The last trace is the sum of the roots of the eigenvalues of $S_1 S_2$, which are those of a symmetric matrix. With
    no more samples than dimensions, and of covariances that are singular or nearly so, it is the sum of the singular
    values of $X_1 X_2^T$, the product of the centred features, over $\sqrt{(n_1 - 1)(n_2 - 1)}$. Neither is complex.

    Raises:
        UsageError: fewer than two samples, or features of different widths.
        OnePaperError: features that are not finite, or a result below 0 by more than rounding.
    """
    first, second = checked(first, second)
    counts, dim = (len(first), len(second)), first.shape[1]
    found = _by_eigenvalues(first, second) if min(counts) > dim else None
    traces, root = found or _by_singular_values(first, second)
    difference = first.mean(0) - second.mean(0)
    distance = float(difference @ difference) + traces - 2 * root
    if not distance >= -ROUNDING * (traces + 1):
        raise OnePaperError(
            f"the Frechet distance is {distance:.3g}, which rounding does not explain; check the features"
        )
    notes = []
    if distance < 0:
        notes.append(f"{distance:.1e} was rounded to 0")
    if min(counts) <= dim:
        notes.append(f"{min(counts)} samples of {dim} features: strongly biased upward")
    if len(first) != len(second):
        notes.append("sets of different sizes have different biases")
    return Frechet(max(distance, 0.0), tuple(notes))


def covariance(features: Features) -> Float[np.ndarray, "dim dim"]:
    """The lower half of the unbiased covariance of features in double precision; zeros above the diagonal."""
    dim = features.shape[1]
    mean, total = features.mean(0), np.zeros((dim, dim), order="F")
    for begin in range(0, len(features), ROWS):
        part = features[begin : begin + ROWS] - mean
        # A symmetric update takes half of the operations of a product of matrices.
        total = dsyrk(1.0, part.T, beta=1.0, c=total, lower=True, overwrite_c=True)
    return total / (len(features) - 1)


def _by_eigenvalues(first: Features, second: Features) -> tuple[float, float] | None:
    """Sum of traces, and trace of the root, or None where an eigenvalue is too small for its root to be exact."""
    covariances = [covariance(own) for own in (first, second)]
    try:
        values = scipy.linalg.eigh(*covariances, type=2, eigvals_only=True, driver="gv", check_finite=False)
    except scipy.linalg.LinAlgError:  # the second one is singular
        return None
    if not values[0] > SMALLEST_SHARE * values[-1]:
        return None
    return sum(float(np.trace(own)) for own in covariances), float(np.sqrt(values).sum())


def _by_singular_values(first: Features, second: Features) -> tuple[float, float]:
    """The same, exact where covariances are singular, too, and by more operations."""
    centred = [own - own.mean(0) for own in (first, second)]
    traces = sum(float(np.square(own).sum()) / (len(own) - 1) for own in centred)
    # R of a QR decomposition has the same products as the features, and at most as many rows as dimensions.
    reduced = [np.asarray(np.linalg.qr(own, mode="r")) if len(own) > own.shape[1] else own for own in centred]
    product = np.linalg.svd(reduced[0] @ reduced[1].T, compute_uv=False).sum()
    return traces, float(product / np.sqrt((len(first) - 1) * (len(second) - 1)))


def kernel_distance(first: Features, second: Features, width: float, *, block: int = 1024) -> float:
    r"""1000 times the squared maximum mean discrepancy for $\exp(-|x - y|^2 / (2\,\mathrm{width}^2))$, biased.

    The diagonal is included, as in CMMD (Jayasumana et al., 2024).

    Args:
        first: features.
        second: features.
        width: of the kernel.
        block: rows at a time, which bounds the memory.

    Raises:
        UsageError: fewer than two samples, or features of different widths.
        OnePaperError: features that are not finite.
    """
    first, second = checked(first, second)
    centre = first.mean(0)
    first, second = first - centre, second - centre

    def mean_kernel(x: Features, y: Features) -> float:
        total, norms = 0.0, np.square(y).sum(1)
        for begin in range(0, len(x), block):
            part = x[begin : begin + block]
            squares = np.square(part).sum(1)[:, None] + norms - 2 * part @ y.T
            total += np.exp(-squares.clip(0) / (2 * width**2)).sum()
        return total / (len(x) * len(y))

    distance = mean_kernel(first, first) + mean_kernel(second, second) - 2 * mean_kernel(first, second)
    return 1000 * max(distance, 0.0)


def check_shapes(first: Features, second: Features) -> None:
    """Raise `UsageError` for fewer than two samples, features of different widths, or complex ones."""
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or not first.shape[1]:
        raise UsageError(f"features have shapes {first.shape} and {second.shape}, expected [count, dim] of equal dim")
    if min(len(first), len(second)) < 2:
        raise UsageError(f"there are {len(first)} and {len(second)} samples, expected at least 2 of each")
    if np.iscomplexobj(first) or np.iscomplexobj(second):
        raise UsageError("features are complex numbers, expected real ones")


def checked(first: Features, second: Features) -> tuple[Features, Features]:
    """Features in double precision.

    Raises:
        UsageError: as of `check_shapes`.
        OnePaperError: features that are not finite, or of which squares are not.
    """
    check_shapes(first, second)
    # Not NaN to Python's `max`, which may drop it; without arrays of the size of the features.
    largest = float(np.max([abs(float(bound)) for own in (first, second) for bound in (own.min(), own.max())]))
    if not np.isfinite(largest):
        raise OnePaperError("features are not finite; look for pictures that are not, or use another extractor")
    if largest > LARGEST:
        raise OnePaperError(
            f"features are as large as {largest:.1e}, where their squares overflow; expected at most {LARGEST:.0e}"
        )
    return first.astype(np.float64, copy=False), second.astype(np.float64, copy=False)
