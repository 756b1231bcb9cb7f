r"""Logistic regression for a sweep of penalties, by L-BFGS in variables in which all directions are alike.

For each penalty $\lambda$: minimise $\frac1n \sum_i \mathrm{CE}(W x_i + b, y_i) + \frac\lambda2 \lVert W \rVert^2$ on
features with mean 0 and deviation 1. With scikit-learn's C: $\lambda = 1 / (C n)$. Where a clip may have several
classes, the cross-entropy is that of each class, summed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int
from onepaper.errors import UsageError
from scipy.optimize import minimize
from scipy.special import expit, softmax

PENALTIES = tuple(10.0**exponent for exponent in range(-5, 2))
_SMALLEST_DEVIATION = 1e-8
_SMALLEST_SHARE = 1e-9
"""of the largest variance, below which a direction is left out"""
_CURVATURE = 0.1
"""kappa: of the loss by a logit, in the middle of what it can be"""

Features = Float[np.ndarray, "rows dim"]
Labels = Int[np.ndarray, " rows"] | Float[np.ndarray, "rows classes"]


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier on standardised features.

    Attributes:
        mean: of each feature in the training.
        scale: one over its deviation, 0 for a constant.
        weight: shape [dim, classes].
        bias: shape [classes].
        link: what makes scores of logits: softmax, sigmoid (several classes a row) or none.
    """

    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]
    link: Literal["softmax", "sigmoid", "none"] = "softmax"

    def probabilities(self, features: Features) -> Float[np.ndarray, "rows classes"]:
        """Probabilities of the classes, or scores of a probe that has none."""
        logits = ((features - self.mean) * self.scale) @ self.weight + self.bias
        if self.link == "none":
            return logits
        return expit(logits) if self.link == "sigmoid" else softmax(logits, axis=1)


def statistics_of(features: Features) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and one over the deviation of each feature; a constant one is multiplied by 0.

    Raises:
        UsageError: no rows, or features that are not finite.
    """
    if not len(features) or not np.isfinite(features).all():
        raise UsageError(f"{len(features)} rows of features; expected at least one, and finite numbers")
    exact = features.astype(np.float64)
    deviation = exact.std(0)
    scale = np.where(deviation > _SMALLEST_DEVIATION, 1.0 / np.maximum(deviation, _SMALLEST_DEVIATION), 0.0)
    return exact.mean(0), scale


def fit_logistic(
    features: Features,
    labels: Labels,
    classes: int,
    penalties: Sequence[float] = PENALTIES,
    *,
    tolerance: float = 1e-4,
    steps: int = 1000,
) -> list[LinearProbe]:
    r"""One probe for each penalty, in their order.

    With eigenvalues $e_i$ and eigenvectors of the features' covariance, the variables are the weights along these,
    times $\sqrt{\kappa e_i + \lambda}$, so that the curvature is of order 1 in all directions. The largest penalty is
    fitted first, and each solution is where the next fit begins.

    Args:
        features: embeddings; a constant column has no influence.
        labels: indices of classes, or zeros and ones [rows, classes] where a row may have several.
        classes: number of classes.
        penalties: values of lambda.
        tolerance: largest element of the gradient in these variables at which a fit ends.
        steps: iterations of L-BFGS of each fit at most.

    Raises:
        UsageError: no rows, or features that are not finite.
    """
    mean, scale = statistics_of(features)
    inputs = (features.astype(np.float64) - mean) * scale
    variances, axes = _principal_axes(inputs)
    # Products in single precision, sums of losses and the variables in double.
    rows = (inputs @ axes).astype(np.float32)
    several = labels.ndim == 2
    targets = (labels if several else np.eye(classes)[labels]).astype(np.float32)
    entropy = _of_several_classes if several else _of_one_class
    weight, bias = np.zeros((rows.shape[1], classes)), np.zeros(classes)
    found: dict[float, LinearProbe] = {}
    for penalty in sorted(penalties, reverse=True):
        steepness = 1.0 / np.sqrt(_CURVATURE * variances + penalty)[:, None]
        fitted = minimize(
            partial(_objective, rows, targets, steepness, penalty, entropy),
            np.concatenate([weight / steepness, bias[None]]).ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": steps, "maxfun": 2 * steps, "gtol": tolerance, "ftol": 1e-9},
        )
        variables = fitted.x.reshape(-1, classes)
        weight, bias = steepness * variables[:-1], variables[-1].copy()
        found[penalty] = LinearProbe(mean, scale, axes @ weight, bias, "sigmoid" if several else "softmax")
    return [found[penalty] for penalty in penalties]


def _principal_axes(inputs: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Variances along the axes [dim, axes] in which rows vary; from the smaller one of the two matrices of products."""
    count, dim = inputs.shape
    squares, vectors = np.linalg.eigh(inputs.T @ inputs if dim <= count else inputs @ inputs.T)
    kept = squares > _SMALLEST_SHARE * float(squares[-1])
    squares, vectors = squares[kept], vectors[:, kept]
    return squares / count, vectors if dim <= count else inputs.T @ (vectors / np.sqrt(squares))


def _objective(
    rows: npt.NDArray[np.float32],
    targets: npt.NDArray[np.float32],
    steepness: npt.NDArray[np.float64],
    penalty: float,
    entropy: Callable[..., tuple[float, npt.NDArray[np.float32]]],
    flat: npt.NDArray[np.float64],
) -> tuple[float, npt.NDArray[np.float64]]:
    """The penalised loss, and its gradient by the scaled variables."""
    variables = flat.reshape(-1, targets.shape[1])
    weight, count = steepness * variables[:-1], len(rows)
    loss, residuals = entropy(rows @ weight.astype(np.float32) + variables[-1].astype(np.float32), targets)
    gradient = steepness * ((rows.T @ residuals) / count + penalty * weight)
    ends = residuals.sum(0, dtype=np.float64) / count
    return loss / count + 0.5 * penalty * float(np.square(weight).sum()), np.concatenate([gradient, ends[None]]).ravel()


def _of_one_class(
    logits: npt.NDArray[np.float32], targets: npt.NDArray[np.float32]
) -> tuple[float, npt.NDArray[np.float32]]:
    """Sum of the cross-entropies, and probabilities minus targets."""
    logits = logits - logits.max(1, keepdims=True)
    correct = (logits * targets).sum(dtype=np.float64)
    powers = np.exp(logits)
    totals = powers.sum(1, keepdims=True)
    return float(np.log(totals).sum(dtype=np.float64) - correct), powers / totals - targets


def _of_several_classes(
    logits: npt.NDArray[np.float32], targets: npt.NDArray[np.float32]
) -> tuple[float, npt.NDArray[np.float32]]:
    """The same with a sigmoid for each class."""
    loss = np.logaddexp(0.0, logits).sum(dtype=np.float64) - (logits * targets).sum(dtype=np.float64)
    return float(loss), expit(logits) - targets
