"""Whether a metric orders systems as people do (paper, section 3.2.1 and table 6)."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from onepaper.errors import OnePaperError, UsageError
from scipy.stats import binomtest, rankdata, wilcoxon

Verdict = Literal["first", "second", "tie"]
Pair = tuple[str, str]

SIGNIFICANCE = 0.05


def human_verdict(first: int, second: int, ties: int = 0) -> Verdict:
    r"""Which system people prefer; a tie where the 95% interval of the win rate includes one half.

    Ties are shared half and half. The interval is normal, with the variance of the three outcomes 1, 1/2 and 0.

    Raises:
        UsageError: no votes, or a negative number.
    """
    count = first + second + ties
    if min(first, second, ties) < 0 or not count:
        raise UsageError(f"there are {first}, {second} and {ties} votes, expected numbers of at least 0, not all 0")
    share = (first + ties / 2) / count
    variance = (first + ties / 4) / count - share**2
    margin = 1.959963984540054 * np.sqrt(variance / count)
    if abs(share - 0.5) <= margin:
        return "tie"
    return "first" if share > 0.5 else "second"


def metric_verdict(first: Float[np.ndarray, " prompts"], second: Float[np.ndarray, " prompts"]) -> Verdict:
    """Which system a metric prefers on the same prompts; a tie where Wilcoxon's signed-rank test has p of 0.05 or more.

    Prompts without a difference are dropped.

    Raises:
        UsageError: different numbers of prompts, or none.
        OnePaperError: a score that is not finite.
    """
    if first.shape != second.shape or not first.size:
        raise UsageError(
            f"scores have shapes {first.shape} and {second.shape}, expected two equal ones of at least one"
        )
    difference = first.astype(np.float64) - second
    if not np.isfinite(difference).all():
        raise OnePaperError("a score is not finite; look for pictures that the metric cannot score")
    if not difference.any():
        return "tie"
    p_value = float(np.asarray(wilcoxon(difference, zero_method="wilcox")[1]))
    if p_value >= SIGNIFICANCE:
        return "tie"
    # The sum of ranks, rather than of values, is what the test compares.
    kept = difference[difference != 0]
    return "first" if (np.sign(kept) * rankdata(np.abs(kept))).sum() > 0 else "second"


class Agreement(NamedTuple):
    """Pairs of systems on which verdicts agree, with a 95% interval (Clopper and Pearson, 1934)."""

    agree: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """NaN where there are no pairs."""
        return self.agree / self.of if self.of else float("nan")

    def __str__(self) -> str:
        return f"{self.agree} of {self.of} [{self.low:.0%}, {self.high:.0%}]" if self.of else "no pairs"


def agreement(truth: Mapping[Pair, Verdict], metric: Mapping[Pair, Verdict]) -> Agreement:
    """How often a metric has the verdict of the truth, among three.

    Raises:
        UsageError: other pairs.
    """
    if set(truth) != set(metric):
        raise UsageError("the verdicts are about different pairs, expected the same systems in the same order")
    return _agreement([truth[pair] == metric[pair] for pair in truth])


def joint_agreement(
    truth: Mapping[Pair, Verdict], first: Mapping[Pair, Verdict], second: Mapping[Pair, Verdict]
) -> tuple[Agreement, Agreement]:
    """How often two metrics agree with each other, and how often they are right where they do."""
    same = [pair for pair in truth if first[pair] == second[pair]]
    return agreement(first, second), _agreement([truth[pair] == first[pair] for pair in same])


def order_verdicts(values: Mapping[str, float]) -> dict[Pair, Verdict]:
    """Which system of each pair has the larger value, such as the mean of a metric; a tie where they are equal."""
    return {
        (one, two): "tie" if values[one] == values[two] else "first" if values[one] > values[two] else "second"
        for one, two in combinations(values, 2)
    }


def _agreement(right: Sequence[bool]) -> Agreement:
    if not right:
        return Agreement(0, 0, float("nan"), float("nan"))
    interval = binomtest(sum(right), len(right)).proportion_ci(method="exact")
    return Agreement(sum(right), len(right), float(interval.low), float(interval.high))
