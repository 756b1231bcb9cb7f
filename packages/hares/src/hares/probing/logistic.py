r"""Multinomial logistic regression for many penalties at once, by L-BFGS in double precision.

For each penalty $\lambda$: minimise $\frac1n \sum_i \mathrm{CE}(W x_i + b, y_i) + \frac\lambda2 \lVert W \rVert^2$ on
features with mean 0 and deviation 1. With scikit-learn's C: $\lambda = 1 / (C n)$.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from onepaper.errors import UsageError
from torch import Tensor
from torch.nn import functional as F

PENALTIES = tuple(10.0**exponent for exponent in range(-5, 2))
_SMALLEST_DEVIATION = 1e-8

Features = Float[np.ndarray, "rows dim"]
Labels = Int[np.ndarray, " rows"]


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier on standardised features."""

    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]

    def probabilities(self, features: Features) -> Float[np.ndarray, "rows classes"]:
        """Probabilities of the classes."""
        logits = ((features - self.mean) * self.scale) @ self.weight + self.bias
        logits -= logits.max(1, keepdims=True)
        exponentials = np.exp(logits)
        return exponentials / exponentials.sum(1, keepdims=True)


def fit_logistic(
    features: Features, labels: Labels, classes: int, penalties: Sequence[float] = PENALTIES, *, steps: int = 300
) -> list[LinearProbe]:
    """One probe for each penalty, all fitted in the same matrix products.

    Args:
        features: embeddings; a constant column has no influence.
        labels: indices of classes.
        classes: number of classes.
        penalties: values of lambda.
        steps: iterations of L-BFGS at most.

    Raises:
        UsageError: no rows, or features that are not finite.
    """
    if not len(features) or not np.isfinite(features).all():
        raise UsageError(f"{len(features)} rows of features; expected at least one, and finite numbers")
    exact = features.astype(np.float64)
    mean, deviation = exact.mean(0), exact.std(0)
    scale = np.where(deviation > _SMALLEST_DEVIATION, 1.0 / np.maximum(deviation, _SMALLEST_DEVIATION), 0.0)
    inputs = torch.from_numpy((exact - mean) * scale)
    targets = torch.from_numpy(labels)
    count, dim = inputs.shape
    lambdas = torch.tensor(list(penalties), dtype=torch.float64)
    weight = torch.zeros(dim, len(lambdas), classes, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(lambdas), classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=steps, tolerance_grad=1e-7, tolerance_change=1e-10, line_search_fn="strong_wolfe"
    )
    repeated = targets[:, None].expand(count, len(lambdas)).reshape(-1)

    def objective() -> Tensor:
        optimizer.zero_grad()
        logits = (inputs @ weight.flatten(1)).reshape(count, len(lambdas), classes) + bias
        loss = F.cross_entropy(logits.flatten(0, 1), repeated, reduction="sum") / count
        loss = loss + 0.5 * (lambdas * weight.square().sum((0, 2))).sum()
        loss.backward()
        return loss

    optimizer.step(objective)  # pyright: ignore
    weights, biases = weight.detach().numpy(), bias.detach().numpy()
    return [LinearProbe(mean, scale, weights[:, index], biases[index]) for index in range(len(lambdas))]
