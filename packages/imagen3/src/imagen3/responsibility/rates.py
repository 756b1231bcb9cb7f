"""Shares with their intervals."""

from typing import NamedTuple

from scipy.stats import binomtest


class Rate(NamedTuple):
    """A share with its 95% interval (Wilson, 1927); NaN where there is nothing to count."""

    hits: int
    of: int
    share: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.share:.2%} [{self.low:.2%}, {self.high:.2%}]" if self.of else "none"


def rate(count: int, of: int) -> Rate:
    r"""$(p + z^2/2n \pm z \sqrt{p(1-p)/n + z^2/4n^2}) / (1 + z^2/n)$ for the share $p$ of $n$, with $z = 1.96$."""
    if not of:
        return Rate(0, 0, float("nan"), float("nan"), float("nan"))
    interval = binomtest(count, of).proportion_ci(method="wilson")
    return Rate(count, of, count / of, float(interval.low), float(interval.high))
