"""The boards of the report, as printed, and their ratings recomputed (paper, figures 2 to 5 and 14)."""

import tomllib
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float
from onepaper.data import embedded
from onepaper.errors import UsageError

from imagen3.human.elo import Ratings, fit_batch, fit_ratings
from imagen3.human.votes import pair_indices

RATINGS_PER_PAIR = 2500
"""nominal number (paper, section 3.1)"""
_STEP = 0.001


@dataclass(frozen=True, eq=False)
class PublishedBoard:
    """A board as printed: models in its order, ratings, and shares of wins (ties as half, NaN where not compared)."""

    aspect: str
    prompt_set: str
    figure: int
    models: tuple[str, ...]
    elo: Float[np.ndarray, " models"]
    shares: Float[np.ndarray, " pairs"]

    @property
    def title(self) -> str:
        """Aspect and prompt set."""
        return f"{self.aspect}, {self.prompt_set}"

    def counts(self, tie_rate: float) -> Float[np.ndarray, "pairs 3"]:
        r"""Votes by pair and outcome that give the printed shares, if a share t of each pair's votes are ties.

        $n (p - t / 2)$ wins, $n (1 - p - t / 2)$ losses and $n t$ ties of $n = 2500$.

        Raises:
            UsageError: more ties than the share of some pair admits.
        """
        if not 0 <= tie_rate <= self.largest_tie_rate():
            raise UsageError(f"tie_rate is {tie_rate}, expected 0 to {self.largest_tie_rate():.3f} for {self.title}")
        compared = np.isfinite(self.shares)
        share = np.where(compared, self.shares, 0.0)
        counts = np.stack([share - tie_rate / 2, 1 - share - tie_rate / 2, np.full(len(share), tie_rate)], 1)
        return RATINGS_PER_PAIR * np.where(compared[:, None], counts, 0.0).clip(0)

    def largest_tie_rate(self) -> float:
        """Above it, some model would have less than no wins."""
        return float(2 * np.nanmin(np.minimum(self.shares, 1 - self.shares)))

    def fit_tie_rate(self) -> float:
        """The tie rate, one for all pairs, whose ratings without ties have the smallest largest difference from those
        printed, in steps of 0.001. The report gives no tie rates."""
        rates = np.arange(0, min(0.5, self.largest_tie_rate()) - _STEP, _STEP)
        fitted = fit_batch(np.stack([self.counts(rate) for rate in rates]), len(self.models)).elo
        return float(rates[np.abs(fitted - self.elo).max(1).argmin()])

    def refit(self, tie_rate: float) -> Ratings:
        """Ratings from the printed shares, ties left out."""
        return fit_ratings(self.models, self.counts(tie_rate))


@cache
def published_boards() -> tuple[PublishedBoard, ...]:
    """The 13 boards in the order of the report."""
    with embedded("imagen3", "boards.toml").open("rb") as file:
        entries = tomllib.load(file)["board"]
    return tuple(
        PublishedBoard(
            entry["aspect"],
            entry["prompt_set"],
            entry["figure"],
            tuple(entry["models"]),
            np.array(entry["elo"], float),
            _pairs(len(entry["models"]), entry["shares"]),
        )
        for entry in entries
    )


def _pairs(models: int, rows: list[list[float]]) -> Float[np.ndarray, " pairs"]:
    """Percentages of the models after each as shares by pair."""
    table = np.full((models, models), np.nan)
    for index, row in enumerate(rows):
        table[index, index + 1 : index + 1 + len(row)] = np.array(row) / 100
    return table[pair_indices(models)]
