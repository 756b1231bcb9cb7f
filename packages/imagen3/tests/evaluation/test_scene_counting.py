"""The scorer in the place of people: right on scenes that show what was requested, wrong on others."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from imagen3.data.scenes import Scene, draw_scene, prompt_rows, random_scene, random_scenes, scene_captions
from imagen3.evaluation.counting import CountingPrompt
from imagen3.evaluation.scene_counting import count_scenes, prompt_of


def prompts_of(scenes: list[Scene]) -> list[CountingPrompt]:
    rows = prompt_rows(scenes, [scene_captions(scene)[0] for scene in scenes])
    counts = [tuple((kind.singular, count) for kind, count in scene.counts.items()) for scene in scenes]
    return [
        CountingPrompt(row["dataset_id"], row["prompt"], row["prompt_type"], own)
        for row, own in zip(rows, counts, strict=True)
    ]


def test_requested_scenes_are_right_and_others_are_not() -> None:
    scenes = random_scenes(42, np.random.default_rng(5))
    prompts = prompts_of(scenes)
    own = {f"{prompt.id}_0": (prompt.id, draw_scene(scene)) for prompt, scene in zip(prompts, scenes, strict=True)}
    assert all(one.share == 1 for one in count_scenes(prompts, own, places=True).scored)
    moved = {
        f"{prompt.id}_0": (prompt.id, draw_scene(scene))
        for prompt, scene in zip(prompts, scenes[1:] + scenes[:1], strict=True)
    }
    assert np.mean([one.share for one in count_scenes(prompts, moved).scored]) < 0.2


def test_a_mirrored_relation_is_wrong_on_its_side_only() -> None:
    generator = np.random.default_rng(1)
    scene = next(
        scene
        for scene in (random_scene("attribute-spatial", generator) for _ in range(50))
        if scene.relation == "to the left of"
    )
    (prompt,) = prompts_of([scene])
    step = scene.size // 2
    other = Scene(
        scene.form,
        scene.size,
        scene.background,
        tuple(placed._replace(column=(placed.column + step) % scene.size) for placed in scene.objects),
    )
    found = count_scenes([prompt], {"a": (prompt.id, draw_scene(other))}, places=True)
    assert [one.share for one in found.scored] == [1, 1, 0, 0]


def test_wrong_prompts() -> None:
    koalas = CountingPrompt("a", "2 koalas", "numeric_simple", (("koala", 2),))
    with pytest.raises(UsageError, match="does not know 'koala'"):
        count_scenes([koalas], {})
    unclear = CountingPrompt("a", "dogs and cats", "attribute-spatial", (("dog", 2), ("cat", 1)))
    with pytest.raises(UsageError, match="a has no relation"):
        count_scenes([unclear], {"a": ("a", np.zeros((64, 64, 3), np.uint8))}, places=True)


def test_names_of_files() -> None:
    prompts = {"geckonum_00001": CountingPrompt("geckonum_00001", "", "", ())}
    assert prompt_of("geckonum_00001", prompts) == prompt_of("geckonum_00001_4", prompts) == "geckonum_00001"
    assert prompt_of("geckonum_00002_0", prompts) is None
