"""Scenes with one error and what is true of them; metrics that learn."""

from collections import Counter

import numpy as np
import pytest

from imagen3.data.scenes import CELLS, FORMS, INVERSE, KINDS, draw_scene, random_scene, random_scenes
from imagen3.evaluation.alignment import clip_score
from imagen3.evaluation.scene_metrics import altered, embeddings, probabilities, seen, statements, train_metrics
from imagen3.evaluation.scene_scorer import count_objects, ground_colour


def test_statements() -> None:
    generator = np.random.default_rng(3)
    scene = random_scene("attribute-spatial", generator)
    (first, many), (second, few) = scene.counts.items()
    found = statements(scene)
    assert len(found) == 4
    assert found[1].startswith(f"{many} {first.singular}")
    assert found[2].startswith(f"{few} {second.singular}")
    assert found[3] == f"{first.plural} {scene.relation} {second.plural}"
    numbers = {"3-additive": 4, "attribute-spatial": 4, "2-additive": 3, "2-additive-color": 3}
    for form in FORMS:
        assert len(statements(random_scene(form, generator))) == numbers.get(form, 2)


def test_an_altered_scene_has_one_error_that_its_picture_shows() -> None:
    generator, seen_errors = np.random.default_rng(1), Counter[str]()
    for scene in random_scenes(140, generator):
        other = altered(scene, generator)
        before, after = scene.counts, other.counts
        assert set(statements(other)) != set(statements(scene))
        assert count_objects(draw_scene(other)) == after
        changed = [kind for kind in {*before, *after} if before.get(kind, 0) != after.get(kind, 0)]
        if len(changed) == 1:
            assert abs(before[changed[0]] - after[changed[0]]) == 1
            seen_errors["number"] += 1
        elif changed:
            old = next(kind for kind in before if kind not in after)
            new = next(kind for kind in after if kind not in before)
            assert before[old] == after[new]
            alike = [kind for kind in KINDS if kind.singular.split()[-1] == old.singular.split()[-1]]
            same = new in alike
            assert same or set(alike) <= set(before)
            seen_errors["colour" if same else "kind"] += 1
        elif other.relation != scene.relation:
            assert other.relation == INVERSE[scene.relation]
            seen_errors["relation"] += 1
        else:
            assert np.abs(ground_colour(draw_scene(other)) - ground_colour(draw_scene(scene))).max() > 0.02
            seen_errors["ground"] += 1
    assert set(seen_errors) == {"number", "colour", "kind", "relation", "ground"}


def test_cells_show_the_kinds_that_are_there() -> None:
    scene = random_scene("3-additive", np.random.default_rng(0))
    (found,) = seen([draw_scene(scene)])
    best = found[:, : len(KINDS)]
    step = scene.size // CELLS
    cells = {(placed.row // step) * CELLS + placed.column // step: KINDS.index(placed.kind) for placed in scene.objects}
    assert {int(cell): int(best[cell].argmax()) for cell in (best.max(1).values > 0.95).nonzero()[:, 0]} == cells


@pytest.mark.slow
def test_the_reader_separates_right_pictures_from_wrong_ones() -> None:
    trained = train_metrics(scenes=200, steps=200)
    generator = np.random.default_rng(5)
    scenes = random_scenes(60, generator)
    texts = [statements(scene)[0] for scene in scenes]
    right, other = (seen([draw_scene(scene) for scene in own]) for own in (scenes, scenes[1:] + scenes[:1]))
    found = [probabilities(trained.reader, pictures, texts) for pictures in (right, other)]
    assert all(((own >= 0) & (own <= 1)).all() for own in found)
    assert found[0].mean() > found[1].mean()
    for metric in (trained.captions, trained.statements):
        scores = [clip_score(*embeddings(metric, pictures, texts)) for pictures in (right, other)]
        assert (scores[0] > scores[1]).mean() > 0.7
