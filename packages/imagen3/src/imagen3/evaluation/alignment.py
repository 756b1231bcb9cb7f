"""How well a picture agrees with its prompt (paper, section 3.2.1 and appendix C.1).

Networks are not part of the package: CLIPScore takes embeddings, and the scores by questions take anything that answers
them (`Answerer`), such as a local vision-language model.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from onepaper.config import shortened
from onepaper.errors import OnePaperError, UsageError

from imagen3.data.tables import read_table

CLIP_WEIGHT = 2.5

# The wording of the official code of Lin et al. (2024).
VQA_QUESTION = 'Does this figure show "{}"? Please answer Yes or No.'

# An answer is yes from this probability on.
YES = 0.5


@runtime_checkable
class Answerer(Protocol):
    """Answers yes-or-no questions about pictures with the probability of yes."""

    def __call__(
        self, pictures: Sequence[UInt8[np.ndarray, "_height _width 3"]], questions: Sequence[str]
    ) -> Float[np.ndarray, " count"]:
        """The probability of yes for each pair."""
        ...


def clip_score(
    pictures: Float[np.ndarray, "count dim"], texts: Float[np.ndarray, "count dim"], *, weight: float = CLIP_WEIGHT
) -> Float[np.ndarray, " count"]:
    r"""$w \max(\cos(e_I, e_T), 0)$, from 0 to $w$ (Hessel et al., 2021).

    Raises:
        UsageError: shapes that differ.
        OnePaperError: an embedding that is zero or not finite.
    """
    if pictures.shape != texts.shape or pictures.ndim != 2:
        raise UsageError(
            f"embeddings have shapes {pictures.shape} and {texts.shape}, expected two equal ones [count, dim]"
        )
    units = []
    for own in (pictures, texts):
        norms = np.linalg.norm(own.astype(np.float64), axis=1, keepdims=True)
        if not np.isfinite(norms).all() or (norms == 0).any():
            raise OnePaperError("an embedding is zero or not finite; look at the pictures and texts, or the network")
        units.append(own / norms)
    return weight * np.maximum((units[0] * units[1]).sum(1), 0.0)


def vqa_scores(
    answer: Answerer, pictures: Sequence[UInt8[np.ndarray, "_height _width 3"]], prompts: Sequence[str]
) -> Float[np.ndarray, " count"]:
    """VQAScore: the probability of yes to whether a picture shows its prompt (Lin et al., 2024).

    Raises:
        OnePaperError: an answer that is no probability.
    """
    values = np.asarray(answer(pictures, [VQA_QUESTION.format(prompt) for prompt in prompts]), np.float64)
    if values.shape != (len(prompts),) or not ((values >= 0) & (values <= 1)).all():
        raise OnePaperError(
            f"answers have shape {values.shape} or are no probabilities, expected {len(prompts)} from 0 to 1"
        )
    return values


class Question(NamedTuple):
    """A question about one fact of a prompt; parents are numbers of questions that it depends on."""

    number: int
    text: str
    parents: tuple[int, ...]
    category: str


def read_questions(path: Path) -> dict[str, tuple[str, list[Question]]]:
    """Questions of a file in the format of DSG (Cho et al., 2024): prompt and questions by item.

    The columns are item_id, text, proposition_id, dependency (numbers of parents, 0 for none), category_broad and
    question_natural_language.

    Raises:
        UsageError: as of `read_table`, a number that cannot be read, an unknown parent, or a circle of dependencies.
    """
    columns = ("item_id", "text", "proposition_id", "dependency", "category_broad", "question_natural_language")
    found: dict[str, tuple[str, list[Question]]] = {}
    for row in read_table(path, columns):
        where = f"{path}: {shortened(row['item_id'])}"
        if not re.fullmatch(r"[0-9]{1,4}", row["proposition_id"]) or not re.fullmatch(
            r"[0-9]{1,4}( *, *[0-9]{1,4})*", row["dependency"]
        ):
            raise UsageError(f"{where}: expected numbers as proposition_id and dependency, e.g. 2 and 1,3")
        parents = tuple(number for part in row["dependency"].split(",") if (number := int(part)))
        number, text = int(row["proposition_id"]), row["question_natural_language"]
        question = Question(number, text, parents, row["category_broad"])
        found.setdefault(row["item_id"], (row["text"], []))[1].append(question)
    for item, (_, questions) in found.items():
        evaluation_order(questions, f"{path}: {shortened(item)}")
    return found


def evaluation_order(questions: Sequence[Question], where: str = "questions") -> list[Question]:
    """The questions with every parent before its children.

    Raises:
        UsageError: a number that is there twice, an unknown parent, or a circle.
    """
    waiting, ordered = {question.number: question for question in questions}, list[Question]()
    if len(waiting) < len(questions):
        raise UsageError(f"{where}: a number of a question is there twice")
    known = set(waiting)
    while waiting:
        ready = [own for own in waiting.values() if not set(own.parents) & set(waiting)]
        if not ready or any(set(own.parents) - known for own in ready):
            raise UsageError(f"{where}: a question depends on an unknown one, or on itself in a circle")
        ordered += ready
        for own in ready:
            del waiting[own.number]
    return ordered


def question_score(questions: Sequence[Question], probabilities: Mapping[int, float], *, binary: bool = False) -> float:
    """The mean over the questions of one prompt; where a parent is false, its children count as false.

    Args:
        questions: about one prompt.
        probabilities: of yes, by number of the question.
        binary: answers count as 0 or 1 (Cho et al., 2024) rather than by their probability (Wiles et al., 2025).

    Raises:
        UsageError: no questions, or as of `evaluation_order`.
    """
    if not questions:
        raise UsageError("a prompt has no questions, expected at least one")
    values: dict[int, float] = {}
    true: dict[int, bool] = {}
    for question in evaluation_order(questions):
        own = probabilities[question.number]
        true[question.number] = own >= YES and all(true[parent] for parent in question.parents)
        counted = all(true[parent] for parent in question.parents)
        values[question.number] = (float(own >= YES) if binary else own) if counted else 0.0
    return float(np.mean(list(values.values())))
