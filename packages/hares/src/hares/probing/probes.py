"""Probes of frozen embeddings: logistic regression, one hidden layer, support vectors, ridge regression, neighbours.

The paper has a linear layer for most tasks, one hidden layer of 512 units for AudioSet and support vectors for ESC-50
(paper, section 2.1 and appendix A); ridge regression and nearest neighbours stand beside them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from onepaper.config import check_choice
from torch import nn
from torch.nn import functional as F

from hares.probing.logistic import PENALTIES, Features, Labels, LinearProbe, fit_logistic, statistics_of

ProbeKind = Literal["logistic", "mlp", "svm", "ridge", "knn"]
GRIDS: dict[ProbeKind, tuple[float, ...]] = {
    "logistic": PENALTIES,
    "mlp": (1e-4, 1e-3),
    "svm": (3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
    "ridge": tuple(10.0**exponent for exponent in range(-4, 3)),
    "knn": (1, 5, 10, 20),
}
"""Settings to choose from: penalties (logistic, ridge), learning rates (mlp), the paper's C (svm), neighbours (knn)."""
_HIDDEN, _MLP_STEPS, _MLP_BATCH, _SVM_ITERATIONS = 512, 1000, 128, 20_000


@runtime_checkable
class Probe(Protocol):
    """What a fit gives."""

    def probabilities(self, features: Features) -> Float[np.ndarray, "rows classes"]:
        """Scores of the classes; the mean over the parts of a clip is its score."""
        ...


def fit_probes(
    kind: ProbeKind, features: Features, labels: Labels, classes: int, settings: Sequence[float], *, seed: int = 0
) -> list[Probe]:
    """One probe for each setting.

    Args:
        kind: of the probes.
        features: embeddings.
        labels: indices of classes, or zeros and ones [rows, classes] where a row may have several.
        classes: number of classes.
        settings: values of the kind's hyperparameter, such as `GRIDS[kind]`.
        seed: of weights and order (mlp, svm).

    Raises:
        UsageError: an unknown kind, no rows, or features that are not finite.
    """
    check_choice("probe", kind, get_args(ProbeKind))
    if kind == "logistic":
        return list(fit_logistic(features, labels, classes, settings))
    mean, scale = statistics_of(features)
    inputs = (features.astype(np.float64) - mean) * scale
    targets = labels if labels.ndim == 2 else np.eye(classes)[labels]
    if kind == "knn":
        return [_Neighbours(mean, scale, _unit(inputs), targets, int(setting)) for setting in settings]
    if kind == "mlp":
        return [_fit_mlp(mean, scale, inputs, labels, classes, setting, seed) for setting in settings]
    fit = _fit_ridge if kind == "ridge" else _fit_svm
    return [LinearProbe(mean, scale, *fit(inputs, targets, setting), link="none") for setting in settings]


def _fit_ridge(
    inputs: npt.NDArray[np.float64], targets: npt.NDArray[np.float64], penalty: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Least squares on zeros and ones: (X'X / n + penalty) W = X'(Y - mean Y) / n, in closed form."""
    count, dim = inputs.shape
    bias = targets.mean(0)
    gram = inputs.T @ inputs / count + penalty * np.eye(dim)
    return np.linalg.solve(gram, inputs.T @ (targets - bias) / count), bias


def _fit_svm(
    inputs: npt.NDArray[np.float64], targets: npt.NDArray[np.float64], c: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """One class against the rest, squared hinge loss, as `sklearn.svm.LinearSVC`; a constant class scores -1 or 1."""
    from sklearn.svm import LinearSVC

    weights, biases = [], []
    for index in range(targets.shape[1]):
        column = targets[:, index]
        if len(np.unique(column)) < 2:
            weights.append(np.zeros(inputs.shape[1]))
            biases.append(2.0 * column[0] - 1.0)
            continue
        machine = LinearSVC(C=c, max_iter=_SVM_ITERATIONS, random_state=0).fit(inputs, column)
        weights.append(machine.coef_[0])
        biases.append(float(np.ravel(machine.intercept_)[0]))
    return np.stack(weights, 1), np.array(biases)


@dataclass(frozen=True)
class _Neighbours:
    """Mean targets of the nearest rows by cosine similarity."""

    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    rows: npt.NDArray[np.float64]
    targets: npt.NDArray[np.float64]
    count: int

    def probabilities(self, features: Features) -> Float[np.ndarray, "rows classes"]:
        similar = _unit((features - self.mean) * self.scale) @ self.rows.T
        count = min(self.count, len(self.rows))
        nearest = np.argpartition(-similar, count - 1, axis=1)[:, :count]
        return self.targets[nearest].mean(1)


def _unit(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


@dataclass(frozen=True)
class _HiddenLayer:
    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    network: nn.Module
    several: bool

    @torch.no_grad()
    def probabilities(self, features: Features) -> Float[np.ndarray, "rows classes"]:
        logits = self.network(torch.from_numpy((features - self.mean) * self.scale).float()).double()
        return (logits.sigmoid() if self.several else logits.softmax(1)).numpy()


def _fit_mlp(
    mean: npt.NDArray[np.float64],
    scale: npt.NDArray[np.float64],
    inputs: npt.NDArray[np.float64],
    labels: Labels,
    classes: int,
    rate: float,
    seed: int,
) -> _HiddenLayer:
    """One hidden layer of 512 units with ReLU, by Adam with a cosine schedule."""
    rows, targets, several = torch.from_numpy(inputs).float(), torch.from_numpy(labels), labels.ndim == 2
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(rows.shape[1], _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, classes))
        optimizer = torch.optim.Adam(network.parameters(), rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _MLP_STEPS)
        for _ in range(_MLP_STEPS):
            chosen = torch.randint(len(rows), (min(_MLP_BATCH, len(rows)),))
            logits = network(rows[chosen])
            if several:
                loss = F.binary_cross_entropy_with_logits(logits, targets[chosen].float())
            else:
                loss = F.cross_entropy(logits, targets[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return _HiddenLayer(mean, scale, network.eval(), several)
