"""Intervals of a metric and paired tests of two predictions, by resampling clips or whole groups of them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from onepaper.config import check_positive
from onepaper.errors import UsageError

Metric = Callable[[npt.NDArray[Any], npt.NDArray[Any]], float]


class Estimate(NamedTuple):
    """A value of a metric with its 95% percentile bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class Comparison(NamedTuple):
    """Difference of two predictions in a metric, with its interval and two-sided p-value."""

    difference: Estimate
    p_value: float


def resample_indices(
    count: int, resamples: int, seed: int, groups: Sequence[str] | None = None
) -> list[npt.NDArray[np.int64]]:
    """Indices of bootstrap resamples: of clips, or of all clips of resampled groups such as speakers.

    Clips of one speaker are not independent; with few speakers only the interval over groups shows it.
    """
    check_positive("resamples", resamples)
    generator = np.random.default_rng(seed)
    if groups is None:
        return [generator.integers(count, size=count) for _ in range(resamples)]
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(index == group) for group in range(index.max() + 1)]
    drawn = (generator.integers(len(members), size=len(members)) for _ in range(resamples))
    return [np.concatenate([members[group] for group in groups_drawn]) for groups_drawn in drawn]


def bootstrap(
    metric: Metric,
    truth: ArrayLike,
    predicted: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
    groups: Sequence[str] | None = None,
) -> Estimate:
    """A metric with its interval.

    Args:
        metric: of (truth, predicted).
        truth: rows of clips.
        predicted: rows of clips.
        resamples: number of them; those in which the metric is undefined are left out.
        seed: of the resamples.
        groups: one name a clip; whole groups are then resampled.

    Raises:
        UsageError: the metric is undefined on all clips, or on most resamples.
    """
    x, y = np.asarray(truth), np.asarray(predicted)
    value = metric(x, y)
    found = _on_resamples(lambda rows: metric(x[rows], y[rows]), len(x), resamples, seed, groups)
    return Estimate(value, *map(float, np.quantile(found, [0.025, 0.975])))


def compare(
    metric: Metric,
    truth: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
    groups: Sequence[str] | None = None,
) -> Comparison:
    """The metric of `first` minus that of `second` on the same resamples.

    The p-value is twice the smaller share of resamples on either side of 0, by (k + 1) / (n + 1).
    """
    x, a, b = np.asarray(truth), np.asarray(first), np.asarray(second)

    def difference(rows: npt.NDArray[np.int64]) -> float:
        return metric(x[rows], a[rows]) - metric(x[rows], b[rows])

    drawn = _on_resamples(difference, len(x), resamples, seed, groups)
    estimate = Estimate(difference(np.arange(len(x))), *map(float, np.quantile(drawn, [0.025, 0.975])))
    above, below = sum(value >= 0 for value in drawn), sum(value <= 0 for value in drawn)
    return Comparison(estimate, min(1.0, 2 * (min(above, below) + 1) / (len(drawn) + 1)))


def _on_resamples(
    value: Callable[[npt.NDArray[np.int64]], float],
    count: int,
    resamples: int,
    seed: int,
    groups: Sequence[str] | None,
) -> list[float]:
    """A value on each resample where it is defined.

    Raises:
        UsageError: it is undefined on most.
    """
    found = []
    for rows in resample_indices(count, resamples, seed, groups):
        try:
            found.append(value(rows))
        except UsageError:
            continue
    if len(found) < resamples / 2:
        raise UsageError(
            f"the metric is undefined on {resamples - len(found)} of {resamples} resamples; use more clips"
        )
    return found
