r"""Logistic regression for a sweep of penalties, by L-BFGS in variables in which all directions are alike.

For each penalty $\lambda$: minimise $\frac1n \sum_i \mathrm{CE}(W x_i + b, y_i) + \frac\lambda2 \lVert W \rVert^2$ on
features with mean 0 and deviation 1. With scikit-learn's C: $\lambda = 1 / (C n)$. Where a clip may have several
classes, the cross-entropy is that of each class, summed.
"""

import functools
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int
from onepaper.errors import UsageError
from scipy.special import expit, softmax
from threadpoolctl import ThreadpoolController

from hares.probing.minimizer import minimize_together

PENALTIES = tuple(10.0**exponent for exponent in range(-5, 2))
_SMALLEST_DEVIATION = 1e-8
_SMALLEST_SHARE = 1e-9
"""of the largest variance, below which a direction is left out"""
_CURVATURE = 0.1
"""kappa: of the loss by a logit, in the middle of what it can be"""
_LOGITS = 2**24
"""of the penalties that are fitted together, at most: 64 MiB"""
_ONE_THREAD = 2**28
"""multiplications of a product up to which threads of the processor's library cost more than they save"""

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
    times $\sqrt{\kappa e_i + \lambda}$, so that the curvature is of order 1 in all directions. Penalties are fitted
    together, whose logits are one product; where these need too much memory, the largest penalties are fitted first,
    and the others begin at the last solution.

    Args:
        features: embeddings; a constant column has no influence.
        labels: indices of classes, or zeros and ones [rows, classes] where a row may have several.
        classes: number of classes.
        penalties: values of lambda.
        tolerance: largest element of the gradient in these variables at which a fit ends.
        steps: iterations of L-BFGS at most.

    Raises:
        UsageError: no rows, or features that are not finite.
    """
    mean, scale = statistics_of(features)
    several = labels.ndim == 2
    targets = (labels.T if several else np.eye(classes)[labels].T).astype(np.float32)
    few = max(1, _LOGITS // targets.size)
    ordered = sorted(penalties, reverse=True)
    found: dict[float, LinearProbe] = {}
    small = min(few, len(ordered)) * targets.size * features.shape[1] <= _ONE_THREAD
    with _libraries().limit(limits=1, user_api="blas") if small else nullcontext():
        inputs = (features.astype(np.float64) - mean) * scale
        variances, axes = _principal_axes(inputs)
        # Products in single precision, sums of losses in double. The last column is that of the biases.
        rows = np.concatenate([inputs @ axes, np.ones((len(inputs), 1))], 1).astype(np.float32)
        weights = np.zeros((1, classes, rows.shape[1]))
        for start in range(0, len(ordered), few):
            group = np.array(ordered[start : start + few])
            problem = _Sweep(rows, targets, variances, group, several)
            begin = weights[-1] / problem.steepness[:, None]
            ended = minimize_together(problem, begin.reshape(len(group), -1), tolerance=tolerance, steps=steps)
            weights = problem.weights(ended, np.arange(len(group)))
            for penalty, weight in zip(group.tolist(), weights, strict=True):
                link = "sigmoid" if several else "softmax"
                found[penalty] = LinearProbe(mean, scale, axes @ weight[:, :-1].T, weight[:, -1].copy(), link)
    return [found[penalty] for penalty in penalties]


@functools.cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def _principal_axes(inputs: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Variances along the axes [dim, axes] in which rows vary; from the smaller one of the two matrices of products."""
    count, dim = inputs.shape
    squares, vectors = np.linalg.eigh(inputs.T @ inputs if dim <= count else inputs @ inputs.T)
    kept = squares > _SMALLEST_SHARE * float(squares[-1])
    squares, vectors = squares[kept], vectors[:, kept]
    return squares / count, vectors if dim <= count else inputs.T @ (vectors / np.sqrt(squares))


class _Sweep:
    """The penalised losses of some penalties as functions of the scaled variables, a row [classes x axes] a penalty."""

    def __init__(
        self,
        rows: npt.NDArray[np.float32],
        targets: npt.NDArray[np.float32],
        variances: npt.NDArray[np.float64],
        penalties: npt.NDArray[np.float64],
        several: bool,
    ) -> None:
        self._rows, self._columns, self._targets, self._several = rows, np.ascontiguousarray(rows.T), targets, several
        shape = (len(penalties), 1)
        # Biases have no penalty, and a steepness of 1.
        self._penalties = np.repeat(penalties[:, None], len(variances) + 1, 1)
        self._penalties[:, -1] = 0.0
        curvatures = np.concatenate([_CURVATURE * variances + penalties[:, None], np.ones(shape)], 1)
        self.steepness = 1.0 / np.sqrt(curvatures)

    def weights(
        self, variables: npt.NDArray[np.floating], which: npt.NDArray[np.int64]
    ) -> Float[np.ndarray, "penalties classes axes"]:
        """Weights, and biases in the last column."""
        return variables.reshape(len(which), len(self._targets), -1) * self.steepness[which, None]

    def __call__(
        self, variables: npt.NDArray[np.float32], which: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """Values [penalties] and gradients [penalties, variables] of the penalties at these indices."""
        weights, count = self.weights(variables, which).astype(np.float32), len(self._rows)
        logits = (weights.reshape(-1, weights.shape[2]) @ self._columns).reshape(*weights.shape[:2], count)
        entropies, residuals = (_of_several_classes if self._several else _of_one_class)(logits, self._targets)
        penalties = self._penalties[which, None]
        values = entropies / count + 0.5 * (penalties * np.square(weights)).sum((1, 2))
        gradients = (residuals.reshape(-1, count) @ self._rows).reshape(weights.shape) / count + penalties * weights
        return values, (gradients * self.steepness[which, None]).reshape(len(which), -1).astype(np.float32)


def _of_one_class(
    logits: npt.NDArray[np.float32], targets: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """Of logits [penalties, classes, rows] the sums of cross-entropies, and probabilities minus targets."""
    logits = logits - logits.max(1, keepdims=True)
    correct = (logits * targets).sum((1, 2), dtype=np.float64)
    powers = np.exp(logits)
    totals = powers.sum(1, keepdims=True)
    return np.log(totals).sum((1, 2), dtype=np.float64) - correct, powers / totals - targets


def _of_several_classes(
    logits: npt.NDArray[np.float32], targets: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """The same with a sigmoid for each class."""
    losses = np.logaddexp(0.0, logits) - logits * targets
    return losses.sum((1, 2), dtype=np.float64), expit(logits) - targets
