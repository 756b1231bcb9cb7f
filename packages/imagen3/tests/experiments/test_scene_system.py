"""Claims C5 to C7 with few prompts and a system of a known error: it draws at most three objects of each kind."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onepaper.claims import ClaimContext
from onepaper.errors import UsageError
from scipy.stats import spearmanr

from imagen3.data.scenes import FORMS, draw_scene, scene_part, scene_pictures
from imagen3.experiments import scene_system
from imagen3.pretrained.systems import System

LARGEST = 3


@pytest.fixture(autouse=True)
def few_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    scene_system.held_out_prompts.cache_clear()
    monkeypatch.setattr(scene_system, "PROMPTS", 8)


def draw_at_most_three(*_: object, **__: object) -> np.ndarray:
    drawn = []
    for own in scene_system.held_out_prompts():
        things = own.scene.objects
        numbers = [[other.kind for other in things[:index]].count(thing.kind) for index, thing in enumerate(things)]
        kept = tuple(thing for thing, before in zip(things, numbers, strict=True) if before < LARGEST)
        drawn.append(draw_scene(replace(own.scene, objects=kept)))
    return np.stack(drawn)


def test_prompts_are_held_out() -> None:
    found = scene_system.held_out_prompts()
    assert Counter(own.prompt.type for own in found) == dict.fromkeys(FORMS, 8)
    learned = scene_pictures(400)
    captions = {learned.captions[number][0].text for number in learned.indices("train")}
    for own in found:
        assert scene_part(own.scene) != "train"
        assert own.prompt.text not in captions
        assert own.prompt.entities == tuple((kind.singular, count) for kind, count in own.scene.counts.items())
    identifiers = {own.prompt.text: own.prompt.id for own in found}
    assert len(set(identifiers.values())) == len(identifiers)
    assert all(identifiers[own.prompt.text] == own.prompt.id for own in found)


def test_known_errors(system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_system, "trained_system", lambda: system)
    monkeypatch.setattr(scene_system, "generate", draw_at_most_three)
    context = ClaimContext(folder=tmp_path, seeds=(0, 1))
    found = scene_system.accuracy_by_number(context)
    curve = [found.measurement(f"accuracy, {number} object{'s' * (number > 1)}").mean for number in range(1, 6)]
    assert curve == [1, 1, 1, 0, 0]
    assert found.measurement("rank correlation of number and accuracy").mean == pytest.approx(
        spearmanr(range(5), [1, 1, 1, 0, 0]).statistic
    )
    forms = scene_system.accuracy_by_form(context)
    assert [own.mean for own in forms.measured] == [1, 1, 1, 1]

    found = scene_system.counting_accuracy(context)
    right = []
    for own in scene_system.held_out_prompts():
        drawn = {noun: min(number, LARGEST) for noun, number in own.prompt.entities}
        wanted = dict(own.prompt.entities)
        for noun in wanted:
            if "color" in own.prompt.type:
                alike = [other for other in wanted if other.split()[-1] == noun.split()[-1]]
                right.append(sum(drawn[other] for other in alike) == sum(wanted[other] for other in alike))
            right.append(drawn[noun] == wanted[noun])
    assert found.measurement("accuracy").mean == pytest.approx(np.mean(right))
    assert found.measurement("accuracy without guidance").mean == found.measurement("accuracy").mean
    # Latents of random weights show nothing.
    assert found.measurement("accuracy, scenes encoded and decoded").mean < 0.05


def test_without_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="onepaper imagen3 train --preset scenes --seed 0"):
        scene_system.trained_system()


def test_the_folder_of_the_training(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_system, "TRAINED", weights)
    assert scene_system.trained_system().config.data.size == 32
