r"""Logistic regression for many penalties at once, by L-BFGS in double precision.

For each penalty $\lambda$: minimise $\frac1n \sum_i \mathrm{CE}(W x_i + b, y_i) + \frac\lambda2 \lVert W \rVert^2$ on
features with mean 0 and deviation 1. With scikit-learn's C: $\lambda = 1 / (C n)$. Where a clip may have several
classes, the cross-entropy is that of each class, summed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from onepaper.errors import UsageError
from scipy.special import expit, softmax
from torch import Tensor
from torch.nn import functional as F

PENALTIES = tuple(10.0**exponent for exponent in range(-5, 2))
_SMALLEST_DEVIATION = 1e-8

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
    features: Features, labels: Labels, classes: int, penalties: Sequence[float] = PENALTIES, *, steps: int = 300
) -> list[LinearProbe]:
    """One probe for each penalty, all fitted in the same matrix products.

    Args:
        features: embeddings; a constant column has no influence.
        labels: indices of classes, or zeros and ones [rows, classes] where a row may have several.
        classes: number of classes.
        penalties: values of lambda.
        steps: iterations of L-BFGS at most.

    Raises:
        UsageError: no rows, or features that are not finite.
    """
    mean, scale = statistics_of(features)
    inputs = torch.from_numpy((features.astype(np.float64) - mean) * scale)
    targets = torch.from_numpy(labels)
    several = targets.ndim == 2
    count, dim = inputs.shape
    lambdas = torch.tensor(list(penalties), dtype=torch.float64)
    weight = torch.zeros(dim, len(lambdas), classes, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(lambdas), classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=steps, tolerance_grad=1e-7, tolerance_change=1e-10, line_search_fn="strong_wolfe"
    )
    shape = (count, len(lambdas), classes) if several else (count, len(lambdas))
    repeated = (targets[:, None].double() if several else targets[:, None]).expand(shape).flatten(0, 1)

    def objective() -> Tensor:
        optimizer.zero_grad()
        logits = (inputs @ weight.flatten(1)).reshape(count, len(lambdas), classes) + bias
        entropy = F.binary_cross_entropy_with_logits if several else F.cross_entropy
        loss = entropy(logits.flatten(0, 1), repeated, reduction="sum") / count
        loss = loss + 0.5 * (lambdas * weight.square().sum((0, 2))).sum()
        loss.backward()
        return loss

    optimizer.step(objective)  # pyright: ignore
    weights, biases = weight.detach().numpy(), bias.detach().numpy()
    link = "sigmoid" if several else "softmax"
    return [LinearProbe(mean, scale, weights[:, index], biases[index], link) for index in range(len(lambdas))]
