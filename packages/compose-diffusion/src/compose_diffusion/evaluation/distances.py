"""Distance of samples of the exact toy to the target itself: total variation on a grid, and the width of the modes.

Accuracy within 3 standard deviations and log likelihood are largest for samples that are too narrow. Total variation
is 0 for the target only. A finite number of samples of the target itself has a total variation above 0, the sampling
floor, which is reported beside it.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import norm
from torch import Tensor

from compose_diffusion.config.toy import ToyExactConfig
from compose_diffusion.data.distributions import ring_and_bar
from compose_diffusion.evaluation.exact_toy import LEFT_BAR, RIGHT_BAR, Measures, negation_target, true_samples

# Sets of true samples whose mean total variation is the floor.
FLOOR_SETS = 4
# Samples this far from every mode, in standard deviations, do not count for its width: they missed it.
MODE_RADIUS = 5.0


@dataclass(frozen=True, eq=False)
class Cells:
    """Rectangular cells of the plane and the exact probability of each; the rest of the plane is one further cell."""

    x_edges: Float[np.ndarray, " columns_1"]
    y_edges: Float[np.ndarray, " rows_1"]
    probabilities: Float[np.ndarray, "columns rows"]

    def total_variation(self, x: Float[Tensor, "num_samples 2"]) -> float:
        r"""$\frac12 \sum_c |n_c / n - p_c|$."""
        points = x.double().cpu().numpy()
        counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=(self.x_edges, self.y_edges))
        shares = counts / len(points)
        rest = abs(shares.sum() - self.probabilities.sum())
        return float(0.5 * (np.abs(shares - self.probabilities).sum() + rest))


def target_cells(config: ToyExactConfig) -> Cells:
    """Cells about as wide as the smallest scale of the task's target."""
    if config.task == "product":
        target = ring_and_bar()
        (std,) = target.covariances[0, 0, 0].sqrt().reshape(1).tolist()
        x_edges = std * np.arange(-8.5, 9)
        y_edges = np.concatenate([-0.5 + x_edges, 0.5 + x_edges])
        across = _shares(x_edges, 0.0, std)
        along = (_shares(y_edges, -0.5, std) + _shares(y_edges, 0.5, std)) / 2
        return Cells(x_edges, y_edges, across[:, None] * along)
    if config.task == "mixture":
        bars = (LEFT_BAR, RIGHT_BAR)
        low, high = min(float(bar.low[0]) for bar in bars), max(float(bar.high[0]) for bar in bars)
        x_edges, y_edges = np.linspace(low, high, 17), np.linspace(-1.0, 1.0, 21)
        overlap = [
            np.clip(np.minimum(x_edges[1:], float(bar.high[0])) - np.maximum(x_edges[:-1], float(bar.low[0])), 0, None)
            / float(bar.high[0] - bar.low[0])
            for bar in bars
        ]
        across = np.mean(overlap, axis=0)
        return Cells(x_edges, y_edges, across[:, None] * np.full(20, 1 / 20))
    mean, std = negation_target()
    edges = [float(centre) + std * np.linspace(-4.0, 4.0, 21) for centre in mean]
    shares = [_shares(edge, float(centre), std) for edge, centre in zip(edges, mean, strict=True)]
    return Cells(edges[0], edges[1], shares[0][:, None] * shares[1])


def _shares(edges: np.ndarray, mean: float, std: float) -> np.ndarray:
    """Probabilities of the intervals between edges under a Gaussian."""
    return np.diff(norm.cdf((edges - mean) / std))


def distances(config: ToyExactConfig, x: Float[Tensor, "num_samples 2"], seed: int) -> Measures:
    """Distances of samples to the target of the task.

    "total variation"; "sampling floor", that of as many true samples; "above floor", their difference; and for the
    product "mode variance ratio", the variance about the nearest mode over the exact one.
    """
    cells = target_cells(config)
    found = cells.total_variation(x)
    generator = torch.Generator().manual_seed(seed + 20_000)
    sets = [true_samples(replace(config, num_samples=len(x)), generator) for _ in range(FLOOR_SETS)]
    floor = float(np.mean([cells.total_variation(true) for true in sets]))
    measured = {"total variation": found, "sampling floor": floor, "above floor": found - floor}
    if config.task == "product":
        measured["mode variance ratio"] = mode_variance_ratio(x)
    return measured


def mode_variance_ratio(x: Float[Tensor, "num_samples 2"]) -> float:
    """Mean squared distance to the nearest mode of the product, over 2 std^2; of the samples near a mode.

    NaN without such samples.
    """
    target = ring_and_bar()
    variance = float(target.covariances[0, 0, 0])
    squared = (x[:, None, :] - target.means.to(x)).square().sum(dim=2).amin(dim=1)
    near = squared <= MODE_RADIUS**2 * variance
    return float(squared[near].mean()) / (2 * variance) if bool(near.any()) else math.nan
