"""Counting by a system: true scenes in the place of its pictures give perfect scores, others give low ones."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from imagen3.data.scenes import draw_scene
from imagen3.experiments import counting


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClaimContext:
    monkeypatch.setattr(counting, "PROMPTS", 4)
    monkeypatch.setattr(counting, "SCENES", 28)
    monkeypatch.setattr(counting, "open_system", lambda name: SimpleNamespace(name=name))
    return ClaimContext(folder=tmp_path, seeds=(0, 1, 2))


def draws(monkeypatch: pytest.MonkeyPatch, *, most: int) -> None:
    """A system that draws what was requested, but never more than so many objects."""
    scenes = {prompt.text: scene for prompt, scene in counting.counting_prompts()}

    def generate(_: object, prompts: list[str], *, seed: int) -> np.ndarray:
        drawn = [scenes[prompt] for prompt in prompts]
        return np.stack(
            [draw_scene(type(own)(own.form, own.size, own.background, own.objects[:most])) for own in drawn]
        )

    monkeypatch.setattr(counting, "generate", generate)


def test_scorer(context: ClaimContext) -> None:
    found = counting.scorer_accuracy(context)
    assert found.measurement("right answers").mean > 0.95
    assert sum(int(cell) for row in found.artifacts[0].rows for cell in row[1:]) == 3 * 28  # pyright: ignore


def test_prompts(context: ClaimContext) -> None:
    prompts = [prompt for prompt, _ in counting.counting_prompts()]
    simple = [prompt.entities[0][1] for prompt in prompts if prompt.type == "numeric_simple"]
    assert sorted(simple) == sorted([1, 2, 3, 4, 5] * 4)
    assert len({prompt.id for prompt in prompts}) == len(prompts) == 20 + 6 * 4


def test_a_perfect_system(context: ClaimContext, monkeypatch: pytest.MonkeyPatch) -> None:
    draws(monkeypatch, most=10)
    assert counting.counting_accuracy(context).measurement("accuracy").mean == 1
    assert counting.counting_by_form(context).measurement("3-additive").mean == 1


def test_a_system_that_counts_to_three(context: ClaimContext, monkeypatch: pytest.MonkeyPatch) -> None:
    draws(monkeypatch, most=3)
    found = counting.counting_by_number(context)
    assert found.measurement("accuracy of 1 minus that of 5").mean == 1
    # Ranks of 1, 1, 1, 0, 0.
    assert found.measurement("rank correlation with the number").mean == pytest.approx(-np.sqrt(3) / 2)
