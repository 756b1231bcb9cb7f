"""Plans of studies: which rater compares which pair for which prompt (paper, section 3.1).

A study is a pair of models, a question and a set of prompts. Its ratings are spread evenly over the prompts, a rater
takes part in few studies and gives a small share of each, and the side of each model is random.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from onepaper.config import check_between
from onepaper.errors import UsageError

from imagen3.config import StudyRules
from imagen3.human.elo import SCALE
from imagen3.human.questions import question_of
from imagen3.human.votes import Comparisons, pair_indices

LARGEST_PLAN = 50_000_000


class BoardPlan(NamedTuple):
    """A board: one question on one set of prompts."""

    aspect: str
    prompt_set: str
    prompts: int


PAPER_BOARDS = (
    *(
        BoardPlan(aspect, name, prompts)
        for aspect in ("overall", "alignment", "appeal")
        for name, prompts in (("GenAI-Bench", 1600), ("DrawBench", 200), ("DALL-E 3 Eval", 170))
    ),
    BoardPlan("detail", "DOCCI-Test-Pivots", 1000),
)
"""Of the paper, section 3.1."""
PAPER_MODELS, PAPER_RATERS = 6, 3225


@dataclass(frozen=True, eq=False)
class StudyPlan:
    """One row for each rating. Studies are numbered board by board, in each by pair of models."""

    models: int
    boards: tuple[BoardPlan, ...]
    study: Int[np.ndarray, " ratings"]
    rater: Int[np.ndarray, " ratings"]
    prompt: Int[np.ndarray, " ratings"]
    first_is_left: Bool[np.ndarray, " ratings"]

    @property
    def pairs(self) -> int:
        """Pairs of models, and so studies of a board."""
        return len(pair_indices(self.models)[0])

    def board(self, index: int) -> Int[np.ndarray, " kept"]:
        """Numbers of the ratings of a board."""
        return np.flatnonzero(self.study // self.pairs == index)


def plan_studies(
    models: int,
    boards: Sequence[BoardPlan],
    raters: int,
    generator: np.random.Generator,
    rules: StudyRules | None = None,
) -> StudyPlan:
    """A plan of all pairs of models on all boards.

    Submissions go round the raters in a random order, so that each gives as many as every other one, or one more. In a
    study the prompts go round too, in a random order, so that each has as many ratings as every other one, or one more,
    and no rater sees a prompt twice.

    Raises:
        UsageError: less than two models, too few prompts or raters for the rules, or a plan of more than 50 million
            ratings.
    """
    rules = rules or StudyRules()
    if models < 2 or not boards:
        raise UsageError(f"there are {models} models and {len(boards)} boards, expected at least 2 models and a board")
    pairs = len(pair_indices(models)[0])
    studies = pairs * len(boards)
    if studies * rules.ratings > LARGEST_PLAN:
        raise UsageError(
            f"{studies} studies have {studies * rules.ratings:,} ratings, expected at most {LARGEST_PLAN:,}"
        )
    for board in boards:
        if question_of(board.aspect).pictures != 2:
            raise UsageError(f"{board.aspect} compares no pairs; plan it apart")
        if board.prompts < rules.submission:
            raise UsageError(
                f"{board.prompt_set} has {board.prompts} prompts, expected at least the {rules.submission} of a "
                "submission"
            )
    parts, most = rules.ratings // rules.submission, rules.studies_of_a_rater(studies)
    needed = max(parts, -(-studies * parts // most))
    if raters < needed:
        raise UsageError(
            f"there are {raters} raters, expected at least {needed} for {studies * parts} submissions in {studies} "
            f"studies, of which each may take part in {most}"
        )
    order = generator.permutation(raters)
    study_order = generator.permutation(studies)
    submission_rater = np.empty((studies, parts), int)
    submission_rater[study_order] = order[np.arange(studies * parts) % raters].reshape(studies, parts)
    prompts = [
        generator.permutation(board.prompts)[np.arange(rules.ratings) % board.prompts]
        for board in boards
        for _ in range(pairs)
    ]
    return StudyPlan(
        models,
        tuple(boards),
        np.repeat(np.arange(studies), rules.ratings),
        np.repeat(submission_rater.ravel(), rules.submission),
        np.concatenate(prompts),
        generator.random(studies * rules.ratings) < 0.5,
    )


def violations(plan: StudyPlan, rules: StudyRules) -> dict[str, int]:
    """How often a plan breaks each rule, counted from its rows."""
    studies = plan.pairs * len(plan.boards)
    per_study = np.bincount(plan.study, minlength=studies)
    raters = int(plan.rater.max()) + 1
    together, given = np.unique(plan.study * raters + plan.rater, return_counts=True)
    joined = np.bincount(together % raters)
    uneven = repeated = 0
    for study in range(studies):
        rows = np.flatnonzero(plan.study == study)
        seen = np.bincount(plan.prompt[rows], minlength=plan.boards[study // plan.pairs].prompts)
        uneven += int(seen.max() - seen.min() > 1)
        repeated += len(rows) - len(np.unique(plan.rater[rows] * len(seen) + plan.prompt[rows]))
    return {
        "studies of another size": int((per_study != rules.ratings).sum()),
        "raters in too many studies": int((joined > rules.largest_share * studies).sum()),
        "too large submissions": int((given > rules.submission).sum()),
        "studies with unevenly rated prompts": uneven,
        "prompts shown twice to a rater in a study": repeated,
    }


def simulate(
    plan: StudyPlan,
    board: int,
    elo: Float[np.ndarray, " models"],
    generator: np.random.Generator,
    *,
    tie_rate: float = 0.0,
    rater_sd: float = 0.0,
) -> Comparisons:
    r"""Votes on one board of a plan.

    Args:
        plan: of studies.
        board: its number.
        elo: true ratings.
        generator: of all randomness.
        tie_rate: share of ties, the same for each pair.
        rater_sd: in Elo points, of what each rater adds to the rating of each model; votes of a rater then depend on
            one another.
    """
    check_between("tie_rate", tie_rate, 0.0, 1.0)
    rows = plan.board(board)
    first, second = pair_indices(plan.models)
    pair, rater = plan.study[rows] % plan.pairs, plan.rater[rows]
    own = generator.normal(0, rater_sd, (int(rater.max()) + 1, plan.models)) + elo
    chance = 1 / (1 + np.exp((own[rater, second[pair]] - own[rater, first[pair]]) / SCALE))
    outcome = np.where(generator.random(len(rows)) < chance, 0, 1)
    outcome = np.where(generator.random(len(rows)) < tie_rate, 2, outcome)
    names = tuple(f"model {index + 1}" for index in range(plan.models))
    return Comparisons(names, pair, outcome, rater, plan.prompt[rows])
