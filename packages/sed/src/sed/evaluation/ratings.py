"""Blind pairs of samples for people to compare, and what their choices say (paper, section 4.2 and table 4)."""

import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool
from onepaper.errors import UsageError

# Normal quantile of a 95% interval.
QUANTILE = 1.959964


class Pair(NamedTuple):
    """Two samples side by side."""

    left: str
    right: str
    first_is_left: bool


class Preference(NamedTuple):
    """How often the first system was preferred.

    Attributes:
        share: p, over all choices.
        standard_error: sqrt(p (1 - p) / n), as in the paper's table.
        low: end of the 95% interval of Wilson (1927).
        high: its other end.
        agreement: of two raters of a pair, how often they choose alike; NaN for one rater.
        choices: n.
    """

    share: float
    standard_error: float
    low: float
    high: float
    agreement: float
    choices: int


def make_pairs(first: Sequence[str], second: Sequence[str], *, seed: int = 0) -> list[Pair]:
    """Pairs in the order of the samples, with sides drawn at random.

    Raises:
        UsageError: no samples, or not as many of both.
    """
    if len(first) != len(second) or not first:
        raise UsageError(f"there are {len(first)} and {len(second)} samples, expected as many of both, at least one")
    sides = np.random.default_rng(seed).random(len(first)) < 0.5
    return [
        Pair(one, two, True) if is_left else Pair(two, one, False)
        for one, two, is_left in zip(first, second, sides, strict=True)
    ]


def page_id(pairs: Sequence[Pair]) -> str:
    """A name of what raters see, by which answers and key are matched."""
    shown = json.dumps([[pair.left, pair.right] for pair in pairs])
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def preference(prefers_first: Bool[np.ndarray, "raters pairs"]) -> Preference:
    """The share of choices for the first system with its intervals, and how far raters agree.

    Raises:
        UsageError: no choices.
    """
    raters, pairs = prefers_first.shape
    n = prefers_first.size
    if not n:
        raise UsageError(f"there are choices of {raters} raters on {pairs} pairs, expected at least one")
    share = float(prefers_first.mean())
    spread = QUANTILE**2 / n
    center = (share + spread / 2) / (1 + spread)
    half = QUANTILE / (1 + spread) * np.sqrt(share * (1 - share) / n + spread / (4 * n))
    votes = prefers_first.sum(axis=0)
    alike = votes * (votes - 1) + (raters - votes) * (raters - votes - 1)
    agreement = float(alike.mean() / (raters * (raters - 1))) if raters > 1 else float("nan")
    error = float(np.sqrt(share * (1 - share) / n))
    return Preference(share, error, float(center - half), float(center + half), agreement, n)
