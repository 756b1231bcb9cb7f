"""Pictures of scenes evaluated on counting prompts: the scene scorer in the place of people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from onepaper.errors import UsageError

from imagen3.data.scenes import INVERSE, RELATIONS
from imagen3.evaluation.counting import CountingPrompt, Question, Scored
from imagen3.evaluation.scene_scorer import Found, find_objects, kinds_of, on_side


@dataclass(frozen=True, eq=False)
class SceneCounts:
    """Scores of pictures, and what the scorer found on each."""

    scored: list[Scored]
    found: dict[str, list[Found]]


def count_scenes(
    prompts: Sequence[CountingPrompt],
    pictures: Mapping[str, tuple[str, UInt8[np.ndarray, "size size 3"]]],
    *,
    places: bool = False,
) -> SceneCounts:
    """Score pictures of counting prompts.

    Args:
        prompts: what was requested; their nouns have to be those of `data.scenes.KINDS`.
        pictures: by name, the identifier of the prompt and the pixels.
        places: also questions about the requested side.

    Raises:
        UsageError: a noun that the scorer does not know; a picture of a size that it cannot take.
    """
    for prompt in prompts:
        for noun, _ in prompt.entities:
            kinds_of(noun)
    known = {prompt.id: prompt for prompt in prompts}
    found = {name: find_objects(pixels) for name, (_, pixels) in pictures.items()}

    scored = [
        Scored(question, name, float(_count(found[name], known[prompt], question) == question.target))
        for name, (prompt, _) in pictures.items()
        for question in known[prompt].questions(places=places)
    ]
    return SceneCounts(scored, found)


def _count(found: Sequence[Found], prompt: CountingPrompt, question: Question) -> int:
    if not question.place:
        kinds = kinds_of(question.noun)
        return sum(thing.kind in kinds for thing in found)
    relation = next((relation for relation in RELATIONS if relation in prompt.text), None)
    if relation is None:
        raise UsageError(f"{prompt.id} has no relation ({', '.join(RELATIONS)}) in '{prompt.text}'; correct its type")
    first, second = (noun for noun, _ in prompt.entities)
    if question.noun == first:
        return on_side(found, first, relation, second)
    return on_side(found, second, INVERSE[relation], first)


def prompt_of(stem: str, prompts: Mapping[str, CountingPrompt]) -> str | None:
    """The identifier of the prompt of a picture by the name of its file: ID, or ID_SEED."""
    return next((name for name in (stem, stem.rpartition("_")[0]) if name in prompts), None)
