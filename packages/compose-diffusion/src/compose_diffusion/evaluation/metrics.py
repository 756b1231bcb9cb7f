"""Metrics of samples of the plane against the target of a composition.

Samples are [num_samples, 2] tensors; results are plain numbers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from scipy.optimize import linear_sum_assignment
from scipy.stats import norm
from sklearn.mixture import GaussianMixture as FittedMixture
from torch import Tensor

from compose_diffusion.data.distributions import GaussianMixture, UniformBox, bar, ring, ring_and_bar

# Softened bar with a finite log likelihood: 99% of its mass in the bar, the rest uniform up to this outer box.
OUTER_HALF_WIDTH = 1.1
OUTER_MASS = 0.01
MMD_BANDWIDTHS = (0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class ProductLikelihood:
    """Mean log likelihood, and the fraction of samples outside the outer box, where the target has no mass."""

    mean: float
    outside: float


def product_log_likelihood(x: Float[Tensor, "num_samples 2"]) -> ProductLikelihood:
    """Log likelihood under ring times softened bar, normalised; true samples have ln(1/2) - ln(2 pi e std^2) = 3.48.

    Samples outside the outer box, of density 0, count with the outer density; their fraction is reported.
    """
    _check_points(x, 2)
    inner_box = bar()
    inside, outer = _within(x, inner_box), (x.abs() <= OUTER_HALF_WIDTH).all(dim=1)
    density_inside, density_outside = _softened_bar(inner_box)
    log_bar = torch.where(inside, math.log(density_inside), math.log(density_outside)).double()
    log_likelihood = ring().log_prob(x.double()) + log_bar - math.log(product_normaliser())
    return ProductLikelihood(float(log_likelihood.mean()), float((~outer).double().mean()))


def product_normaliser() -> float:
    """Z = integral of ring times softened bar, by Gaussian probabilities of rectangles; 0.31123."""
    inner_box = bar()
    outer_box = UniformBox([-OUTER_HALF_WIDTH] * 2, [OUTER_HALF_WIDTH] * 2)
    density_inside, density_outside = _softened_bar(inner_box)
    inner, outer = _probability_of(ring(), inner_box), _probability_of(ring(), outer_box)
    return density_inside * inner + density_outside * (outer - inner)


def _softened_bar(box: UniformBox) -> tuple[float, float]:
    """Density inside the bar, and between it and the outer box."""
    area = float((box.high - box.low).prod())
    return (1 - OUTER_MASS) / area, OUTER_MASS / ((2 * OUTER_HALF_WIDTH) ** 2 - area)


def _probability_of(mixture: GaussianMixture, box: UniformBox) -> float:
    """Probability of a box under an axis-aligned Gaussian mixture."""
    std = mixture.covariances.diagonal(dim1=1, dim2=2).sqrt().numpy()
    low = norm.cdf((box.low.numpy() - mixture.means.numpy()) / std)
    high = norm.cdf((box.high.numpy() - mixture.means.numpy()) / std)
    return float(mixture.weights.numpy() @ (high - low).prod(axis=1))


def mode_accuracy(
    x: Float[Tensor, "num_samples dim"], target: GaussianMixture | None = None, num_std: float = 3.0
) -> float:
    """Fraction of samples within `num_std` standard deviations of some component's mean, on every axis.

    Args:
        target: mixture with axis-aligned components; the true product of ring and bar if absent.
    """
    target = target or ring_and_bar()
    _check_points(x, target.dim)
    means, std = target.means.to(x), target.covariances.diagonal(dim1=1, dim2=2).sqrt().to(x)
    near = ((x[:, None, :] - means).abs() <= num_std * std).all(dim=2)
    return float(near.any(dim=1).double().mean())


def mode_balance(x: Float[Tensor, "num_samples dim"], axis: int = 1) -> float:
    """Fraction of samples on the positive side of an axis; 0.5 for the product of ring and bar, by symmetry."""
    _check_points(x, x.shape[-1])
    return float((x[:, axis] > 0).double().mean())


def variance_error(
    x: Float[Tensor, "num_samples dim"],
    target_samples: Float[Tensor, "num_targets dim"],
    num_components: int = 2,
    seed: int = 0,
) -> float:
    """Mean Frobenius norm of covariance differences between mixtures fitted to samples and to target samples.

    Both are diagonal Gaussian mixtures; components are matched so that their means lie closest.
    """
    means, variances = _fit_mixture(x, num_components, seed)
    target_means, target_variances = _fit_mixture(target_samples, num_components, seed)
    distance = np.square(means[:, None] - target_means[None]).sum(axis=2)
    rows, columns = linear_sum_assignment(distance)
    return float(np.linalg.norm(variances[rows] - target_variances[columns], axis=1).mean())


def _fit_mixture(x: Tensor, num_components: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    _check_points(x, x.shape[-1])
    if len(x) < num_components:
        raise UsageError(f"{len(x)} samples for a mixture of {num_components}, expected at least one a component")
    fitted = FittedMixture(num_components, covariance_type="diag", random_state=seed).fit(x.double().cpu().numpy())
    return np.asarray(fitted.means_), np.asarray(fitted.covariances_)


def mmd2(
    x: Float[Tensor, "num_samples dim"],
    y: Float[Tensor, "num_targets dim"],
    bandwidths: Sequence[float] = MMD_BANDWIDTHS,
) -> float:
    r"""Unbiased squared maximum mean discrepancy with kernel $\sum_b \exp(-|x - y|^2 / (2 b^2))$.

    Unbiased: pairs of a point with itself are left out. For equal distributions the mean is 0, so values below 0 occur.
    """
    _check_points(x, x.shape[-1])
    if min(len(x), len(y)) < 2:
        raise UsageError(f"{len(x)} and {len(y)} samples, expected at least 2 of each for an unbiased discrepancy")

    def kernel_sum(left: Tensor, right: Tensor) -> Tensor:
        squared = torch.cdist(left.double(), right.double()).square()
        kernels = [torch.exp(-squared / (2 * bandwidth**2)).sum() for bandwidth in bandwidths]
        return torch.stack(kernels).sum()

    within_x = (kernel_sum(x, x) - len(bandwidths) * len(x)) / (len(x) * (len(x) - 1))
    within_y = (kernel_sum(y, y) - len(bandwidths) * len(y)) / (len(y) * (len(y) - 1))
    return float(within_x + within_y - 2 * kernel_sum(x, y) / (len(x) * len(y)))


def box_fraction(
    x: Float[Tensor, "num_samples dim"], inside: Sequence[UniformBox], outside: Sequence[UniformBox] = ()
) -> float:
    """Fraction of samples in at least one box of `inside` and in none of `outside`."""
    if not inside:
        raise UsageError("no box to be inside of, expected at least one")
    for box in (*inside, *outside):
        _check_points(x, box.dim)
    hit = torch.stack([_within(x, box) for box in inside]).any(dim=0)
    for box in outside:
        hit = hit & ~_within(x, box)
    return float(hit.double().mean())


def _within(x: Tensor, box: UniformBox) -> Tensor:
    return ((x >= box.low.to(x)) & (x <= box.high.to(x))).all(dim=1)


def _check_points(x: Tensor, dim: int) -> None:
    if x.ndim != 2 or x.shape[1] != dim or len(x) == 0:
        raise UsageError(f"samples have shape {tuple(x.shape)}, expected [num_samples, {dim}] with at least one sample")
    if not bool(x.isfinite().all()):
        raise UsageError(
            f"{int((~x.isfinite()).any(dim=1).sum())} of {len(x)} samples are not finite, expected numbers; lower the "
            "step size of the sampler"
        )
