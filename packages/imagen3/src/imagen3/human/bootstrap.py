"""Intervals of ratings by resampling raters or prompts, on counts of votes instead of votes."""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from onepaper.config import check_between, check_choice, check_positive
from onepaper.errors import UsageError
from scipy.sparse import coo_array

from imagen3.human.elo import CONFIDENCE, Ties, fit_batch
from imagen3.human.votes import Comparisons

Unit = Literal["rater", "prompt"]
RESAMPLES, _BLOCK = 1000, 250


class BootstrapIntervals(NamedTuple):
    """Ends of the interval of each rating, in Elo points."""

    low: Float[np.ndarray, " models"]
    high: Float[np.ndarray, " models"]
    without_ratings: int
    """resamples in which a model won or lost all, which have no ratings and are left out"""


def resampled_counts(
    votes: Comparisons, generator: np.random.Generator, resamples: int = RESAMPLES, unit: Unit = "rater"
) -> Float[np.ndarray, "resamples pairs 3"]:
    """Counts of votes by pair and outcome of resamples, which draw raters (or prompts) with all their votes.

    A resample is a vector of how often each rater is drawn, multiplied by the sparse matrix of the counts of each.
    """
    check_choice("unit", unit, ("rater", "prompt"))
    check_positive("resamples", resamples)
    cluster = votes.rater if unit == "rater" else votes.prompt
    clusters, cells = int(cluster.max()) + 1, votes.counts().size
    if clusters < 2:
        raise UsageError(f"there is one {unit}, expected at least 2 for an interval over {unit}s")
    table = coo_array((np.ones(len(cluster)), (cluster, votes.pair * 3 + votes.outcome)), (clusters, cells)).tocsr()
    chances = np.full(clusters, 1 / clusters)
    blocks = [
        (table.T @ generator.multinomial(clusters, chances, min(_BLOCK, resamples - begin)).T).T
        for begin in range(0, resamples, _BLOCK)
    ]
    return np.concatenate(blocks).reshape(resamples, -1, 3)


def bootstrap_intervals(
    votes: Comparisons,
    generator: np.random.Generator,
    *,
    ties: Ties = "drop",
    unit: Unit = "rater",
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    prior_sd: float | None = None,
) -> BootstrapIntervals:
    """Percentile intervals of the ratings over resampled raters, or prompts.

    The first says how far other raters would move the ratings, the second how far other prompts would.

    Raises:
        UsageError: a single rater (or prompt), values out of range, or no ratings in more than 5% of the resamples.
    """
    check_between("confidence", confidence, 0.5, 0.9999)
    counts = resampled_counts(votes, generator, resamples, unit)
    elo = fit_batch(counts, len(votes.models), ties, prior_sd).elo
    found = np.isfinite(elo).all(1)
    if found.mean() < 0.95:
        raise UsageError(
            f"{resamples - found.sum()} of {resamples} resamples have no ratings: a model won or lost all, or there "
            "are no ties; collect more votes, or give a prior"
        )
    low, high = np.quantile(elo[found], [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return BootstrapIntervals(low, high, int(resamples - found.sum()))
