"""Counting accuracy as of GeckoNum, task 1 (paper, section 3.1.5 and appendix C.2).

A prompt asks for exact numbers of things; people or a detector say how many a picture shows; the accuracy is the share
of answers that equal the requested number. Files have the format of google-deepmind/geckonum_benchmark_t2i.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from onepaper.claims.statistics import Interval, bootstrap_interval
from onepaper.config import shortened
from onepaper.errors import UsageError

from imagen3.data.scenes import FORMS
from imagen3.data.tables import read_table

PROMPT_COLUMNS = ("prompt", "entities", "prompt_type", "dataset_id")
ANNOTATION_COLUMNS = ("image_id", "question_id", "annot_id", "answer")
LARGEST_TARGET = 1000
_NUMBER = r"[0-9]{1,6}(?:\.[0-9]{1,6})?"


class Question(NamedTuple):
    """How many of one thing a picture shall show."""

    prompt: str
    """identifier of the prompt"""
    number: int
    """of the question about its prompt"""
    noun: str
    target: int
    type: str
    place: bool = False
    """whether only those on the requested side are counted"""


@dataclass(frozen=True)
class CountingPrompt:
    """A prompt with its nouns and their numbers."""

    id: str
    text: str
    type: str
    entities: tuple[tuple[str, int], ...]

    def questions(self, *, places: bool = False) -> list[Question]:
        """The questions about a picture of this prompt, by the numbers of the annotations of GeckoNum.

        One for each noun. Of prompts with colours there are two: all apples, and all green apples. The first has the
        sum of both numbers where a prompt has apples of two colours. Of prompts with a relation, questions 0 and 1 are
        about all of each noun; 2 and 3 are about those on the stated side, and are left out unless `places`.
        """
        if "color" in self.type:
            found = []
            for noun, target in self.entities:
                plain = noun.split(" ", 1)[-1]
                total = sum(own for other, own in self.entities if other.split(" ", 1)[-1] == plain)
                for asked, wanted in ((plain, total), (noun, target)):
                    found.append(Question(self.id, len(found), asked, wanted, self.type))
            return found
        count = len(self.entities)
        found = [Question(self.id, index, *entity, self.type) for index, entity in enumerate(self.entities)]
        if self.type == "attribute-spatial" and places:
            found += [
                Question(self.id, count + index, *entity, self.type, True) for index, entity in enumerate(self.entities)
            ]
        return found


def read_counting_prompts(path: Path) -> list[CountingPrompt]:
    """The prompts with exact numbers of a file in the format of GeckoNum's prompts.csv; other types are left out.

    Raises:
        UsageError: as of `read_table`, a list of nouns that cannot be read, an identifier that is there twice, or no
            prompt with exact numbers.
    """
    found: dict[str, CountingPrompt] = {}
    for row in read_table(path, PROMPT_COLUMNS):
        if row["prompt_type"] not in FORMS:
            continue
        where = f"{path}: {shortened(row['dataset_id'])}"
        entities = []
        for part in row["entities"].split(","):
            noun, _, number = part.rpartition(":")
            if not noun.strip() or not re.fullmatch(r"[0-9]{1,4}", number) or int(number) > LARGEST_TARGET:
                raise UsageError(
                    f"{where}: entities are {shortened(row['entities'])}, expected noun:number,noun:number"
                )
            entities.append((noun.strip(), int(number)))
        if row["dataset_id"] in found:
            raise UsageError(f"{where} is there twice, expected each dataset_id once")
        if not row["prompt"] or not row["dataset_id"]:
            raise UsageError(f"{where}: expected a prompt and a dataset_id")
        prompt = CountingPrompt(row["dataset_id"], row["prompt"], row["prompt_type"], tuple(entities))
        found[prompt.id] = prompt
    if not found:
        raise UsageError(f"{path} holds no prompts with exact numbers; expected a prompt_type of {', '.join(FORMS)}")
    return list(found.values())


class Range(NamedTuple):
    """A part of an answer: numbers from `low` to `high`, which is infinite for "10+"."""

    low: float
    high: float


def parse_answer(text: str) -> tuple[Range, ...]:
    """The parts of a free answer: "2", "10+", "2-3", "2, 10+", "1.5"; none for an empty answer.

    Raises:
        UsageError: anything else.
    """
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(rf"({_NUMBER})(?:(\+)|\s*[-\u2013]\s*({_NUMBER}))?", part)
        if match is None:
            raise UsageError(f"answer is {shortened(text)}, expected a number such as 2, 1.5, 10+, 2-3 or '2, 10+'")
        low, more, high = match.groups()
        found.append(Range(float(low), np.inf if more else float(high or low)))
    return tuple(found)


def is_right(answer: Sequence[Range], target: int, *, lenient: bool = False) -> bool:
    """Whether an answer is the requested number; `lenient` takes ranges, lists and "10+" that include it too."""
    if lenient:
        return any(part.low <= target <= part.high for part in answer)
    return len(answer) == 1 and answer[0] == (target, target)


class Scored(NamedTuple):
    """The share of right answers to one question about one picture."""

    question: Question
    picture: str
    share: float


def read_annotations(
    path: Path,
    prompts: Sequence[CountingPrompt],
    *,
    lenient: bool = False,
    by: Literal["annotation", "majority"] = "annotation",
    places: bool = False,
) -> list[Scored]:
    """Answers of people in the format of GeckoNum's task_1 files, compared with the requested numbers.

    Args:
        path: of the file.
        prompts: an `image_id` is that of a prompt, an underscore and a seed.
        lenient: as of `is_right`.
        by: annotation for the share of right answers of a question, majority for 1 where more than half of them are.
        places: also questions about the requested side. Pictures of other prompts are left out.

    Raises:
        UsageError: as of `read_table`, an unknown question, an answer that cannot be read, or no picture of a prompt.
    """
    chosen = [question for prompt in prompts for question in prompt.questions(places=places)]
    known = {(question.prompt, question.number): question for question in chosen}
    every = {prompt.id: len(prompt.questions(places=True)) for prompt in prompts}
    answers: dict[tuple[str, Question], list[bool]] = defaultdict(list)
    for row in read_table(path, ANNOTATION_COLUMNS):
        prompt, where = row["image_id"].rpartition("_")[0], f"{path}: {shortened(row['image_id'])}"
        if prompt not in every:
            continue
        if not re.fullmatch(r"[0-9]{1,4}", row["question_id"]) or int(row["question_id"]) >= every[prompt]:
            raise UsageError(
                f"{where}: question_id is {shortened(row['question_id'])}, expected a number below {every[prompt]}"
            )
        question = known.get((prompt, int(row["question_id"])))
        if question is None:
            continue
        try:
            answers[row["image_id"], question].append(
                is_right(parse_answer(row["answer"]), question.target, lenient=lenient)
            )
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from None
    if not answers:
        raise UsageError(f"{path} has no answers about these prompts; give the prompts of the annotated pictures")
    return [
        Scored(question, picture, float(np.mean(own) > 0.5 if by == "majority" else np.mean(own)))
        for (picture, question), own in answers.items()
    ]


def accuracy(scored: Sequence[Scored], *, seed: int = 0) -> Interval:
    """The mean over questions, with a 95% bootstrap interval over prompts, all of whose pictures go together."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for one in scored:
        sums[one.question.prompt][0] += one.share
        sums[one.question.prompt][1] += 1

    def ratio(rows: np.ndarray) -> float:
        return float(rows[:, 0].sum() / rows[:, 1].sum())

    return bootstrap_interval(list(sums.values()), ratio, seed)


def accuracy_by(
    scored: Sequence[Scored], group: Callable[[Question], int | str], *, seed: int = 0
) -> dict[int | str, tuple[int, Interval]]:
    """Number of questions and accuracy for each group, e.g. the requested number (figure 12) or type (figure 13)."""
    groups: dict[int | str, list[Scored]] = defaultdict(list)
    for one in scored:
        groups[group(one.question)].append(one)
    order = sorted(groups, key=lambda key: (str(type(key)), FORMS.index(key) if key in FORMS else 0, key))
    return {key: (len(groups[key]), accuracy(groups[key], seed=seed)) for key in order}
