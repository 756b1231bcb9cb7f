"""Votes on pairs of pictures: the table as a CSV file, and counts of wins and ties."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from onepaper.config import check_choice, shortened
from onepaper.errors import UsageError

from imagen3.data.tables import numbered_rows
from imagen3.human.questions import QUESTIONS

CHOICES = ("left", "tie", "right")


class Vote(NamedTuple):
    """One answer: which of two pictures a rater prefers. The fields are the columns of the file."""

    vote_id: str
    study_id: str
    aspect: str
    prompt_set: str
    prompt_id: str
    model_left: str
    model_right: str
    choice: str
    rater_id: str
    t_ms: str = ""
    """milliseconds from the last display of the pair to the answer"""
    timestamp: str = ""
    """of the answer, UTC in ISO 8601"""
    visit: str = ""
    """how many times the pair was displayed to the rater before the answer"""
    flags: str = ""
    """reasons to leave the vote out, such as `inattentive`; empty for none"""


def read_votes(path: Path, models: Sequence[str] = ()) -> list[Vote]:
    """The votes of a CSV file, every line checked. The columns after `rater_id` may be missing.

    Args:
        path: of the file.
        models: names that may occur; empty for any.

    Raises:
        UsageError: as `imagen3.data.tables.numbered_rows`, an unknown value, a picture compared with itself, or a vote
            that is there twice. The message names the line.
    """
    votes = dict[str, Vote]()
    for where, values in numbered_rows(path, Vote._fields[:-4], Vote._fields[-4:]):
        vote = Vote(**values)
        check_choice(f"choice in {where}:", vote.choice, CHOICES)
        check_choice(f"aspect in {where}:", vote.aspect, QUESTIONS)
        if vote.model_left == vote.model_right:
            raise UsageError(f"{where}: {shortened(vote.model_left)} is compared with itself, expected two models")
        for model in (vote.model_left, vote.model_right) if models else ():
            check_choice(f"model in {where}:", model, models)
        if vote.vote_id in votes:
            raise UsageError(f"{where}: vote_id {shortened(vote.vote_id)} is there twice; each vote counts once")
        votes[vote.vote_id] = vote
    return list(votes.values())


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Votes of one board as numbers. Pairs of models are those of `pair_indices`, outcomes 0, 1, 2: the first model of
    the pair wins, the second wins, a tie."""

    models: tuple[str, ...]
    pair: Int[np.ndarray, " votes"]
    outcome: Int[np.ndarray, " votes"]
    rater: Int[np.ndarray, " votes"]
    prompt: Int[np.ndarray, " votes"]

    def counts(self) -> Float[np.ndarray, "pairs 3"]:
        """Votes by pair and outcome."""
        pairs = len(pair_indices(len(self.models))[0])
        return np.bincount(self.pair * 3 + self.outcome, minlength=pairs * 3).reshape(pairs, 3).astype(float)


def pair_indices(models: int) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """First and second model of every pair, the first with the lower number."""
    return np.triu_indices(models, 1)


def comparisons(votes: Sequence[Vote]) -> Comparisons:
    """The votes of one board as numbers, the models by name.

    Raises:
        UsageError: no votes.
    """
    if not votes:
        raise UsageError("there are no votes, expected at least one")
    names = tuple(sorted({vote.model_left for vote in votes} | {vote.model_right for vote in votes}))
    number = {name: index for index, name in enumerate(names)}
    left, right = (np.array([number[vote[column]] for vote in votes]) for column in (5, 6))
    choice = np.array([CHOICES.index(vote.choice) for vote in votes])
    first, second = np.minimum(left, right), np.maximum(left, right)
    table = np.zeros((len(names), len(names)), int)
    pairs = pair_indices(len(names))
    table[pairs] = np.arange(len(pairs[0]))
    # The left picture wins for choice 0, the right one for 2; the first model of the pair may be on either side.
    outcome = np.where(choice == 1, 2, np.where((choice == 0) == (left == first), 0, 1))
    groups = (np.unique([vote[column] for vote in votes], return_inverse=True)[1] for column in (8, 4))
    return Comparisons(names, table[first, second], outcome, *groups)


def win_shares(models: int, counts: Float[np.ndarray, "pairs 3"]) -> Float[np.ndarray, "models models"]:
    """Share of comparisons that the model of the row wins against that of the column, ties as half; NaN without any."""
    first, second = pair_indices(models)
    total = counts.sum(1)
    share = np.full((models, models), np.nan)
    with np.errstate(invalid="ignore"):
        share[first, second] = (counts[:, 0] + counts[:, 2] / 2) / np.where(total, total, np.nan)
    share[second, first] = 1 - share[first, second]
    return share
