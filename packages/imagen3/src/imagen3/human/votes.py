"""Votes on pairs of pictures: the table as a CSV file, and counts of wins and ties."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from onepaper.config import check_choice, shortened, unknown
from onepaper.errors import UsageError
from onepaper.runs import write_atomic

from imagen3.human.questions import QUESTIONS

CHOICES = ("left", "tie", "right")
LARGEST_FILE = 2**30
_OPTIONAL = ("t_ms", "timestamp", "visit", "flags")


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


def write_votes(path: Path, votes: Iterable[Vote]) -> None:
    """Write a table of votes as CSV, atomically."""
    write_atomic(path, votes_csv(votes))


def votes_csv(votes: Iterable[Sequence[str]], columns: Sequence[str] = Vote._fields) -> str:
    """A table of votes, or of other rows with the names of their columns, as CSV text."""
    content = StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(votes)
    return content.getvalue()


def read_votes(path: Path, models: Sequence[str] = ()) -> list[Vote]:
    """The votes of a CSV file, every line checked. The columns after `rater_id` may be missing.

    Args:
        path: of the file.
        models: names that may occur; empty for any.

    Raises:
        UsageError: no file, too large, no UTF-8 text, other columns, an empty or unknown value, a picture compared with
            itself, or a vote that is there twice. The message names the line.
    """
    if not path.is_file():
        raise UsageError(f"{path} is not a file; give a table of votes as CSV")
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise UsageError(f"{path} has {size:,} bytes, expected at most {LARGEST_FILE:,}; give one file for each board")
    votes, seen = list[Vote](), dict[str, int]()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            order = _columns(path, next(reader, []))
            for row in reader:
                if not row:
                    continue
                where = f"{path}, line {reader.line_num}"
                if len(row) != len(order):
                    raise UsageError(f"{where} has {len(row)} values, expected {len(order)} as in the header")
                vote = Vote(**dict(zip(order, row, strict=True)))
                _check(where, vote, models)
                if vote.vote_id in seen:
                    raise UsageError(f"{where}: vote_id {shortened(vote.vote_id)} is that of line {seen[vote.vote_id]}")
                seen[vote.vote_id] = reader.line_num
                votes.append(vote)
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no UTF-8 text; save it again as UTF-8") from None
    except csv.Error as error:
        raise UsageError(f"{path} is no readable CSV ({error}); save it again with commas and quotes") from None
    if not votes:
        raise UsageError(f"{path} has no votes, expected a line for each")
    return votes


def _columns(path: Path, header: Sequence[str]) -> Sequence[str]:
    for name in header:
        if name not in Vote._fields:
            raise UsageError(f"{path}: {unknown('column', name, Vote._fields)}")
        if list(header).count(name) > 1:
            raise UsageError(f"{path} has the column {name} twice, expected once")
    missing = [name for name in Vote._fields if name not in header and name not in _OPTIONAL]
    if missing:
        raise UsageError(f"{path} lacks the columns {', '.join(missing)}; expected a header with {Vote._fields}")
    return header


def _check(where: str, vote: Vote, models: Sequence[str]) -> None:
    for name, value in zip(Vote._fields, vote, strict=True):
        if name not in _OPTIONAL and not value.strip():
            raise UsageError(f"{where}: {name} is empty")
    check_choice(f"choice in {where}:", vote.choice, CHOICES)
    check_choice(f"aspect in {where}:", vote.aspect, QUESTIONS)
    if vote.model_left == vote.model_right:
        raise UsageError(f"{where}: {shortened(vote.model_left)} is compared with itself, expected two models")
    for model in (vote.model_left, vote.model_right):
        if models and model not in models:
            check_choice(f"model in {where}:", model, models)


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


def comparisons(votes: Sequence[Vote], models: Sequence[str] = ()) -> Comparisons:
    """Votes as numbers.

    Args:
        votes: of one board.
        models: in this order; empty for those that occur, by name.

    Raises:
        UsageError: no votes, or one for a model that is not listed.
    """
    if not votes:
        raise UsageError("there are no votes, expected at least one")
    names = tuple(models) or tuple(sorted({vote.model_left for vote in votes} | {vote.model_right for vote in votes}))
    number = {name: index for index, name in enumerate(names)}
    for vote in votes:
        for model in (vote.model_left, vote.model_right):
            if model not in number:
                raise UsageError(unknown(f"model of vote {vote.vote_id}", model, names))
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
