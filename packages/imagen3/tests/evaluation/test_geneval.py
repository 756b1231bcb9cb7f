"""GenEval's rules on objects with known boxes."""

import pytest
from onepaper.errors import UsageError

from imagen3.evaluation import geneval
from imagen3.evaluation.geneval import Detected


def thing(name: str, left: float, top: float, score: float = 0.95, colour: str = "", side: float = 10) -> Detected:
    return Detected(name, (left, top, left + side, top + side), score, colour)


@pytest.mark.parametrize(
    ("left", "top", "expected"),
    [
        (-50, 0, {"left of"}),
        (50, 0, {"right of"}),
        (0, -50, {"above"}),
        (0, 50, {"below"}),
        (50, 50, {"right of", "below"}),
        (1, 1, set()),
        (0, 0, set()),
        # Shortened by 0.1 * 20, the offset of 3.5 is 1.5, less than half of the distance.
        (3.5, 0, set()),
        (4.5, 0, {"right of"}),
    ],
)
def test_relations(left: float, top: float, expected: set[str]) -> None:
    assert geneval.relations(thing("a", left, top), thing("b", 0, 0)) == expected


def test_scores_and_numbers() -> None:
    two = [thing("dog", 0, 0, 0.95), thing("dog", 50, 0, 0.5), thing("dog", 90, 0, 0.2)]
    assert geneval.is_correct(two, {"tag": "two_object", "include": [{"class": "dog", "count": 2}]})
    exactly = {"include": [{"class": "dog", "count": 2}], "exclude": [{"class": "dog", "count": 3}]}
    assert geneval.is_correct(two, {"tag": "other", **exactly})
    # Prompts about numbers ask for higher scores.
    assert not geneval.is_correct(two, {"tag": "counting", **exactly})
    sure = [thing("dog", place, 0) for place in (0, 50)]
    assert geneval.is_correct(sure, {"tag": "counting", **exactly})
    assert not geneval.is_correct([*sure, thing("dog", 90, 0)], {"tag": "counting", **exactly})
    assert len(geneval.kept([thing("dog", n, 0) for n in range(30)], counting=True)["dog"]) == 16


def test_colours_and_positions() -> None:
    objects = [thing("dog", 0, 0, colour="red"), thing("cat", 80, 0, colour="blue")]
    clauses = [{"class": "dog", "count": 1, "color": "red"}]
    assert geneval.is_correct(objects, {"include": clauses})
    assert not geneval.is_correct(objects, {"include": [{**clauses[0], "color": "blue"}]})
    for relation, right in (("right of", True), ("left of", False), ("above", False)):
        clause = {"class": "cat", "count": 1, "position": [relation, 0]}
        assert geneval.is_correct(objects, {"include": [{"class": "dog", "count": 1}, clause]}) == right
    missing = [{"class": "cow", "count": 1}, {"class": "cat", "count": 1, "position": ["right of", 0]}]
    assert not geneval.is_correct(objects, {"include": missing})
    with pytest.raises(UsageError, match="a clause of GenEval cannot be read"):
        geneval.is_correct(objects, {"include": [{"count": 1}]})


def test_overall_is_the_mean_of_the_tasks() -> None:
    whole, tasks = geneval.overall([("a", True), ("a", True), ("a", True), ("b", False)])
    assert (whole, tasks) == (0.5, {"a": 1.0, "b": 0.0})
    with pytest.raises(UsageError, match="no results"):
        geneval.overall([])
