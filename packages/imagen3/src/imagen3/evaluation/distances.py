r"""Distances between two sets of features, in double precision (paper, section 3.2.2).

They are biased by the number of samples: compare sets of equal size only. None of them is the published FID, FD-DINO
or CMMD, which are these distances between features of networks that are not part of this package.
"""

import numpy as np
from jaxtyping import Float
from onepaper.errors import OnePaperError, UsageError

Features = Float[np.ndarray, "count dim"]


def frechet_distance(first: Features, second: Features) -> float:
    r"""$|m_1 - m_2|^2 + \mathrm{tr}(S_1 + S_2 - 2 (S_1 S_2)^{1/2})$ of the means and unbiased covariances.

    The trace of the root is the sum of the roots of the eigenvalues of $S_1^{1/2} S_2 S_1^{1/2}$, which is symmetric;
    eigenvalues and results below 0 by rounding are taken as 0.

    Raises:
        UsageError: fewer than two samples, or features of different widths.
        OnePaperError: features that are not finite.
    """
    first, second = _checked(first, second)
    difference = first.mean(0) - second.mean(0)
    covariances = [np.atleast_2d(np.cov(features, rowvar=False)) for features in (first, second)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    product = np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)
    distance = difference @ difference + sum(np.trace(own) for own in covariances) - 2 * np.sqrt(product).sum()
    return max(float(distance), 0.0)


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
    first, second = _checked(first, second)
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


def _checked(first: Features, second: Features) -> tuple[Features, Features]:
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise UsageError(f"features have shapes {first.shape} and {second.shape}, expected [count, dim] of equal dim")
    if min(len(first), len(second)) < 2:
        raise UsageError(f"there are {len(first)} and {len(second)} samples, expected at least 2 of each")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise OnePaperError("features are not finite; look for pictures that are not, or use another extractor")
    return first.astype(np.float64), second.astype(np.float64)
