"""GenEval's rules on what a detector found (Ghosh et al., 2023): which objects, how many, in which colour and where."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from onepaper.errors import UsageError

# A detection counts from this score on; for prompts about numbers from the second one on.
LEAST_SCORE, LEAST_SCORE_COUNTING = 0.3, 0.9
MOST_OBJECTS = 16

# Of the sizes of both boxes, so much of the distance between them is no relation.
POSITION_SHARE = 0.1


class Detected(NamedTuple):
    """An object on a picture: left, top, right and bottom of its box, a score, and its colour if that is asked."""

    name: str
    box: tuple[float, float, float, float]
    score: float
    colour: str = ""


def kept(objects: Sequence[Detected], *, counting: bool) -> dict[str, list[Detected]]:
    """The detections that count, best first, at most 16 of each class."""
    least = LEAST_SCORE_COUNTING if counting else LEAST_SCORE
    found: dict[str, list[Detected]] = defaultdict(list)
    for thing in sorted(objects, key=lambda own: -own.score):
        if thing.score > least and len(found[thing.name]) < MOST_OBJECTS:
            found[thing.name].append(thing)
    return found


def relations(first: Detected, second: Detected) -> set[str]:
    """Where the first object is from the second: left of, right of, above, below, or two of these.

    The offset of the centres is shortened by a tenth of the sum of both sizes; a direction counts where its part of the
    distance exceeds one half.
    """
    one, two = (np.array(own.box).reshape(2, 2) for own in (first, second))
    offset = one.mean(0) - two.mean(0)
    sizes = np.abs(np.diff(one, axis=0) + np.diff(two, axis=0))[0]
    shortened: Float[np.ndarray, " 2"] = np.sign(offset) * np.maximum(np.abs(offset) - POSITION_SHARE * sizes, 0)
    if not shortened.any():
        return set()
    right, down = shortened / np.linalg.norm(offset)
    named = {"left of": -right, "right of": right, "above": -down, "below": down}
    return {name for name, part in named.items() if part > 0.5}


def is_correct(objects: Sequence[Detected], requirements: Mapping[str, Any]) -> bool:
    """Whether a picture has everything of `include` and nothing of `exclude`.

    A clause names a class, a least count, and maybe a colour or a position: a relation and the number of another
    clause. An excluded clause is met where there are at least so many.

    Raises:
        UsageError: a clause that cannot be read.
    """
    found = kept(objects, counting=requirements.get("tag") == "counting")
    groups: list[list[Detected] | None] = []
    try:
        for clause in requirements.get("include", []):
            group = found.get(clause["class"], [])[: clause["count"]]
            right = len(group) == clause["count"]
            if right and "color" in clause:
                right = all(thing.colour == clause["color"] for thing in group)
            if right and "position" in clause:
                relation, target = clause["position"]
                others = groups[target]
                right = others is not None and all(
                    relation in relations(thing, other) for thing in group for other in others
                )
            groups.append(group if right else None)
        absent = all(len(found.get(own["class"], [])) < own["count"] for own in requirements.get("exclude", []))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UsageError(f"a clause of GenEval cannot be read ({error!r}); expected class and count") from None
    return absent and all(group is not None for group in groups)


def overall(results: Sequence[tuple[str, bool]]) -> tuple[float, dict[str, float]]:
    """The mean of the scores of the tasks, which is not that of the pictures; and the score of each task.

    Args:
        results: task and whether the picture is correct.
    """
    tasks: dict[str, list[bool]] = defaultdict(list)
    for task, right in results:
        tasks[task].append(right)
    if not tasks:
        raise UsageError("there are no results, expected at least one picture")
    scores = {task: float(np.mean(own)) for task, own in tasks.items()}
    return float(np.mean(list(scores.values()))), scores
