"""GeckoNum's protocol: answers, questions, and accuracies whose parts add up."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from imagen3.evaluation import counting
from imagen3.evaluation.counting import CountingPrompt, Question, Scored

PROMPTS = b"""\
,prompt,has_numeral,is_frequent,entities,prompt_type,dataset_id
0,2 dogs.,0,1,dog:2,numeric_simple,geckonum_00000
1,3 red apples and 1 red bell.,0,-1,"red apple:3,red bell:1",2-additive-color,geckonum_00001
2,There are 2 dogs above 3 cats.,0,-1,"dog:2,cat:3",attribute-spatial,geckonum_00002
3,Many dogs.,0,-1,dog:many,approx-1-entity,geckonum_00003
"""
ANSWERS = b"""\
image_id,model,question_id,question,prompt,annot_id,raw_answer,answer
geckonum_00000_0,m,0,How many dogs?,2 dogs.,0,2,2
geckonum_00000_0,m,0,How many dogs?,2 dogs.,1,2-3,2-3
geckonum_00000_0,m,0,How many dogs?,2 dogs.,2,10+,10+
geckonum_00000_1,m,0,How many dogs?,2 dogs.,0,,
geckonum_00002_0,m,3,How many cats below?,x,0,3,3
geckonum_00003_0,m,0,x,x,0,3,3
"""


@pytest.fixture
def prompts_csv(tmp_path: Path) -> Path:
    (tmp_path / "prompts.csv").write_bytes(PROMPTS)
    return tmp_path / "prompts.csv"


@pytest.fixture
def answers_csv(tmp_path: Path) -> Path:
    (tmp_path / "answers.csv").write_bytes(ANSWERS)
    return tmp_path / "answers.csv"


@pytest.mark.parametrize(
    ("answer", "strict", "lenient"),
    [
        ("2", {2}, {2}),
        ("2.0", {2}, {2}),
        ("10+", set(), {10, 11, 99}),
        ("2-3", set(), {2, 3}),
        ("2, 10+", set(), {2, 10, 11, 99}),
        ("1.5", set(), set()),
        ("", set(), set()),
        ("0", {0}, {0}),
    ],
)
def test_answers(answer: str, strict: set[int], lenient: set[int]) -> None:
    parts = counting.parse_answer(answer)
    numbers = (0, 1, 2, 3, 9, 10, 11, 99)
    assert {number for number in numbers if counting.is_right(parts, number)} == strict
    assert {number for number in numbers if counting.is_right(parts, number, lenient=True)} == lenient


@pytest.mark.parametrize("answer", ["two", "-1", "2--3", "1e5", "2;3", "+", "9999999"])
def test_other_answers_are_refused(answer: str) -> None:
    with pytest.raises(UsageError, match="expected a number such as"):
        counting.parse_answer(answer)


def test_questions(prompts_csv: Path) -> None:
    simple, colour, spatial = counting.read_counting_prompts(prompts_csv)
    assert [question[1:4] for question in simple.questions()] == [(0, "dog", 2)]
    assert [question[1:4] for question in colour.questions()] == [
        (0, "apple", 3),
        (1, "red apple", 3),
        (2, "bell", 1),
        (3, "red bell", 1),
    ]
    assert len(spatial.questions()) == 2
    assert [(own.number, own.noun, own.place) for own in spatial.questions(places=True)[2:]] == [
        (2, "dog", True),
        (3, "cat", True),
    ]
    two = CountingPrompt("x", "2 red books and 1 blue book", "2-additive-color", (("red book", 2), ("blue book", 1)))
    assert [(own.noun, own.target) for own in two.questions()] == [
        ("book", 3),
        ("red book", 2),
        ("book", 3),
        ("blue book", 1),
    ]


def test_annotations(prompts_csv: Path, answers_csv: Path) -> None:
    prompts = counting.read_counting_prompts(prompts_csv)

    def shares(**options: object) -> dict[str, float]:
        found = counting.read_annotations(answers_csv, prompts, **options)  # pyright: ignore[reportArgumentType]
        return {f"{one.picture} {one.question.number}": one.share for one in found}

    assert shares() == pytest.approx({"geckonum_00000_0 0": 1 / 3, "geckonum_00000_1 0": 0})
    assert shares(lenient=True)["geckonum_00000_0 0"] == pytest.approx(2 / 3)
    assert shares(lenient=True, by="majority")["geckonum_00000_0 0"] == 1
    assert shares(places=True)["geckonum_00002_0 3"] == 1


def some_scores() -> list[Scored]:
    generator = np.random.default_rng(0)
    questions = [
        Question(f"p{n % 30}", 0, "dog", 1 + n % 5, ("numeric_simple", "2-additive")[n % 2]) for n in range(90)
    ]
    return [Scored(own, str(n), float(generator.random() < 0.6)) for n, own in enumerate(questions)]


def test_groups_add_up() -> None:
    scored = some_scores()
    whole = counting.accuracy(scored)
    assert whole.estimate == pytest.approx(np.mean([one.share for one in scored]))
    for group in (lambda own: own.target, lambda own: own.type):
        parts = counting.accuracy_by(scored, group)
        assert sum(count for count, _ in parts.values()) == 90
        assert sum(count * own.estimate for count, own in parts.values()) / 90 == pytest.approx(whole.estimate)
    assert list(counting.accuracy_by(scored, lambda own: own.target)) == [1, 2, 3, 4, 5]


def test_prompts_are_resampled_as_a_whole() -> None:
    questions = [Question(f"p{n // 20}", n % 20, "dog", 1, "numeric_simple") for n in range(400)]
    together = [Scored(own, "a", float(int(own.prompt[1:]) % 2)) for own in questions]
    apart = [Scored(own._replace(prompt=str(n)), "a", float(n % 2)) for n, own in enumerate(questions)]
    wide, narrow = counting.accuracy(together), counting.accuracy(apart)
    # Of 20 independent prompts rather than 400: sqrt(20) times as wide.
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(np.sqrt(20), rel=0.15)


def test_wrong_files(prompts_csv: Path, answers_csv: Path) -> None:
    def replaced(path: Path, old: bytes, new: bytes) -> Path:
        path.write_bytes((PROMPTS if path == prompts_csv else ANSWERS).replace(old, new))
        return path

    prompts = counting.read_counting_prompts(prompts_csv)
    for old, new, message in (
        (b"dog:2,num", b"dog:,num", "entities are 'dog:'"),
        (b"geckonum_00001", b"geckonum_00000", "is there twice"),
        (b"entities", b"things", "no column 'entities'"),
    ):
        with pytest.raises(UsageError, match=message):
            counting.read_counting_prompts(replaced(prompts_csv, old, new))
    for old, new, message in (
        (b",0,2,2", b",0,2,two", "geckonum_00000_0.*expected a number"),
        (b"geckonum_00000_0,m,0", b"geckonum_00000_0,m,7", "question_id is '7'"),
        (b"geckonum", b"other", "no answers about these prompts"),
    ):
        with pytest.raises(UsageError, match=message):
            counting.read_annotations(replaced(answers_csv, old, new), prompts)


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files(tmp_path: Path, count: int) -> None:
    fuzz(counting.read_counting_prompts, tmp_path / "prompts.csv", [PROMPTS], count)
    (tmp_path / "prompts.csv").write_bytes(PROMPTS)
    prompts = counting.read_counting_prompts(tmp_path / "prompts.csv")
    fuzz(lambda path: counting.read_annotations(path, prompts), tmp_path / "answers.csv", [ANSWERS], count)
