"""Intervals over seeds and over examples, paired differences, and the correction for many tests."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from onepaper.errors import UsageError

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """An estimate with the ends of its confidence interval; the ends are NaN where they cannot be known."""

    estimate: float
    low: float
    high: float


def student_t_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    r"""Mean of independent repetitions (seeds) with its Student-t interval.

    $$\bar x \pm t_{n-1,\,(1+c)/2} \; s / \sqrt n,$$

    with s the standard deviation with n - 1 in the denominator and c the confidence. One value has no interval: both
    ends are NaN.

    Raises:
        UsageError: no values, or a confidence outside (0, 1).
    """
    from scipy.special import stdtrit

    sample = _sample(values)
    _check_confidence(confidence)
    mean = float(sample.mean())
    if len(sample) == 1:
        return Interval(mean, math.nan, math.nan)
    quantile = float(stdtrit(len(sample) - 1, (1 + confidence) / 2))
    margin = quantile * float(sample.std(ddof=1)) / math.sqrt(len(sample))
    return Interval(mean, mean - margin, mean + margin)


def bootstrap_interval(
    values: ArrayLike,
    statistic: Callable[[Float[np.ndarray, "n ..."]], float] = np.mean,
    seed: int = 0,
    resamples: int = 2000,
    confidence: float = CONFIDENCE,
) -> Interval:
    r"""Percentile bootstrap over examples.

    `statistic` is computed on `resamples` draws of `n` examples with replacement; the ends are the
    $(1-c)/2$ and $(1+c)/2$ quantiles. It says how far another draw of *examples* would move the number
    of this one model; it says nothing about another seed of the training.

    Args:
        values: one row an example, shape `[n, ...]`.
        statistic: takes rows, gives a number.
    """
    sample = _sample(values)
    _check_confidence(confidence)
    generator = np.random.default_rng(seed)
    draws = [float(statistic(sample[generator.integers(len(sample), size=len(sample))])) for _ in range(resamples)]
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(statistic(sample)), float(low), float(high))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    r"""Holm's adjusted p-values, in the order given.

    With the p-values sorted rising, $\tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})$. Rejecting
    where $\tilde p \le \alpha$ keeps the chance of any false rejection in the family at most $\alpha$.

    Raises:
        UsageError: a value that is no probability.
    """
    for p in p_values:
        if not 0 <= p <= 1:
            raise UsageError(f"p-value is {p}, expected a number from 0 to 1")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)


def _sample(values: ArrayLike) -> Float[np.ndarray, "n ..."]:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim == 0 or len(sample) == 0:
        raise UsageError("an interval needs at least one value, got none")
    return sample


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise UsageError(f"confidence is {confidence}, expected a number between 0 and 1")
