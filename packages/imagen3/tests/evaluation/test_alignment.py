"""Scores by embeddings and by questions."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import OnePaperError, UsageError
from onepaper.testing.mutations import fuzz

from imagen3.evaluation import alignment
from imagen3.evaluation.alignment import Question

DSG = b"""\
item_id,text,keywords,proposition_id,dependency,category_broad,category_detailed,tuple,question_natural_language
a,a red dog,x,1,0,entity,whole,entity - whole (dog),Is there a dog?
a,a red dog,x,2,1,attribute,color,"attribute - color (dog, red)",Is the dog red?
b,two cats,x,1,0,entity,whole,x,Are there cats?
"""


def test_clip_score() -> None:
    pictures = np.array([[1.0, 0], [3.0, 4], [1.0, 0]])
    texts = np.array([[2.0, 0], [4.0, 3], [-1.0, 0]])
    np.testing.assert_allclose(alignment.clip_score(pictures, texts), [2.5, 2.5 * 24 / 25, 0])
    np.testing.assert_allclose(alignment.clip_score(pictures, texts, weight=1.0), [1, 24 / 25, 0])
    with pytest.raises(OnePaperError, match="zero or not finite"):
        alignment.clip_score(pictures * 0, texts)
    with pytest.raises(UsageError, match="expected two equal ones"):
        alignment.clip_score(pictures, texts[:2])


def test_vqa_scores() -> None:
    asked: list[str] = []

    def answer(pictures: object, questions: list[str]) -> np.ndarray:
        asked.extend(questions)
        return np.array([0.25, 1.0], np.float32)

    pictures = [np.zeros((4, 4, 3), np.uint8)] * 2
    found = alignment.vqa_scores(answer, pictures, ["a dog", "a cat"])
    np.testing.assert_array_equal(found, [0.25, 1.0])
    assert '"a dog"' in asked[0]
    for wrong in ([0.5], [0.5, 1.2], [np.nan, 0.5]):
        with pytest.raises(OnePaperError, match="expected 2 from 0 to 1"):
            alignment.vqa_scores(lambda *_, own=wrong: np.array(own), pictures, ["a", "b"])


def test_dependencies() -> None:
    questions = [Question(3, "", (2,), ""), Question(1, "", (), ""), Question(2, "", (1,), ""), Question(4, "", (), "")]
    assert [own.number for own in alignment.evaluation_order(questions)] == [1, 4, 2, 3]
    yes = {1: 0.9, 2: 0.8, 3: 0.7, 4: 0.2}
    assert alignment.question_score(questions, yes) == pytest.approx((0.9 + 0.8 + 0.7 + 0.2) / 4)
    assert alignment.question_score(questions, yes, binary=True) == pytest.approx(3 / 4)
    # Question 2 is false, so that 3 counts as false; 2 itself keeps its probability.
    assert alignment.question_score(questions, yes | {2: 0.4}) == pytest.approx((0.9 + 0.4 + 0 + 0.2) / 4)
    # A grandparent counts too.
    assert alignment.question_score(questions, yes | {1: 0.1}, binary=True) == 0
    with pytest.raises(UsageError, match="in a circle"):
        alignment.evaluation_order([Question(1, "", (2,), ""), Question(2, "", (1,), "")])
    with pytest.raises(UsageError, match="unknown one"):
        alignment.evaluation_order([Question(1, "", (7,), "")])
    with pytest.raises(UsageError, match="is there twice"):
        alignment.evaluation_order([Question(1, "", (), "")] * 2)
    with pytest.raises(UsageError, match="no questions"):
        alignment.question_score([], {})


def test_files_of_questions(tmp_path: Path) -> None:
    path = tmp_path / "dsg.csv"
    path.write_bytes(DSG)
    found = alignment.read_questions(path)
    assert found["a"][0] == "a red dog"
    assert [(own.number, own.parents) for own in found["a"][1]] == [(1, ()), (2, (1,))]
    path.write_bytes(DSG.replace(b"x,2,1,", b"x,2,one,"))
    with pytest.raises(UsageError, match="expected numbers as proposition_id"):
        alignment.read_questions(path)
    fuzz(alignment.read_questions, path, [DSG], 200)
