"""The metrics of generated vocal bursts: Frechet distance, human-evaluated expression precision, and their mean."""

import numpy as np
from jaxtyping import Float
from onepaper.errors import UsageError


def activation_statistics(
    activations: Float[np.ndarray, "clips channels"],
) -> tuple[Float[np.ndarray, " channels"], Float[np.ndarray, "channels channels"]]:
    """Mean and covariance, in float64.

    Raises:
        UsageError: fewer than 2 clips, or values that are not finite.
    """
    values = np.asarray(activations, np.float64)
    if values.ndim != 2 or len(values) < 2 or not np.isfinite(values).all():
        raise UsageError(f"activations have shape {values.shape}, expected finite rows of at least 2 clips")
    return values.mean(axis=0), np.cov(values, rowvar=False)


def frechet_distance(
    mean: Float[np.ndarray, " channels"],
    covariance: Float[np.ndarray, "channels channels"],
    other_mean: Float[np.ndarray, " channels"],
    other_covariance: Float[np.ndarray, "channels channels"],
) -> float:
    r"""$|\mu_1 - \mu_2|^2 + \operatorname{tr}(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2})$ of two Gaussians.

    Raises:
        UsageError: shapes that differ, or covariances that are not finite or not positive semi-definite.
    """
    mean, other_mean = np.asarray(mean, np.float64), np.asarray(other_mean, np.float64)
    first, second = (np.atleast_2d(np.asarray(value, np.float64)) for value in (covariance, other_covariance))
    if mean.shape != other_mean.shape or first.shape != second.shape or first.shape != (len(mean), len(mean)):
        raise UsageError(
            f"shapes are {mean.shape}, {first.shape} and {other_mean.shape}, {second.shape}; expected equal ones"
        )
    for value in (first, second):
        if not np.isfinite(value).all() or np.linalg.eigvalsh(value).min() < -1e-6 * max(1.0, np.abs(value).max()):
            raise UsageError("a covariance is not finite or not positive semi-definite; compute it from activations")
    # (S1 S2)^(1/2) has the trace of (R S2 R)^(1/2) with R = S1^(1/2), whose eigenvalues are real; singular ones too.
    levels, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(levels, 0))) @ vectors.T
    common = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    return float(np.square(mean - other_mean).sum() + np.trace(first) + np.trace(second) - 2 * common)


def expression_precision(ratings: Float[np.ndarray, "intended perceived"]) -> float:
    """HEEP: Pearson correlation of the matrix of mean normed ratings with the identity, over all entries.

    Args:
        ratings: mean rating of the perceived expression (column) for samples of the intended one (row).

    Raises:
        UsageError: not square, not finite, or constant.
    """
    values = np.asarray(ratings, np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not np.isfinite(values).all() or np.ptp(values) == 0:
        raise UsageError(f"ratings have shape {values.shape}, expected a finite square matrix that varies")
    return float(np.corrcoef(values.ravel(), np.eye(len(values)).ravel())[0, 1])


def generation_score(distance: float, precision: float) -> float:
    r"""$S_{GEN} = (1 / \mathrm{FID} + \mathrm{HEEP}) / 2$ (paper, eq. 4).

    Raises:
        UsageError: a distance that is not positive, or a value that is not finite.
    """
    if not (np.isfinite(distance) and np.isfinite(precision) and distance > 0):
        raise UsageError(f"FID and HEEP are {distance} and {precision}, expected finite numbers and a positive FID")
    return (1 / distance + precision) / 2
