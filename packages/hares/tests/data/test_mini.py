"""Folds share no group, and every class is in the training part of every fold."""

from pathlib import Path

import pytest
from onepaper.errors import UsageError

from hares.data.embedded import Clip
from hares.data.mini import EMBEDDED_TASKS, MINI_TASKS, MiniTask, mini_task
from hares.data.tasks import DOMAINS, EMBEDDED_NAMES, MINI_NAMES, TASKS


@pytest.mark.parametrize("task", EMBEDDED_TASKS, ids=lambda task: task.name)
def test_folds(task: MiniTask) -> None:
    clips = task.clips()
    folds = {group: {clip.fold for clip in clips if clip.group == group} for group in {clip.group for clip in clips}}
    assert all(len(found) == 1 for found in folds.values())

    def classes(kept: list[Clip]) -> set[str]:
        return {name for clip in kept for name in (clip.label.split() if task.several else [clip.label])}

    for fold in {clip.fold for clip in clips}:
        assert classes([clip for clip in clips if clip.fold != fold]) == classes(clips)
    assert task.stands_for in {known.name for known in TASKS}


def test_every_domain_has_a_task() -> None:
    assert {task.domain for task in MINI_TASKS} == set(DOMAINS)
    assert {task.name for task in MINI_TASKS} == set(MINI_NAMES)
    assert {task.name for task in EMBEDDED_TASKS} == set(EMBEDDED_NAMES)
    assert len({task.stands_for for task in MINI_TASKS}) == 10
    with pytest.raises(UsageError, match="mini_pitch"):
        mini_task("mini_pich")


def test_a_prepared_task_needs_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEPAPER_DATA", raising=False)
    with pytest.raises(UsageError, match="where is the dataset 'hares-mini'"):
        mini_task("mini_languages").clips()
    with pytest.raises(UsageError, match="lacks mini_languages.flac"):
        mini_task("mini_languages", tmp_path).clips()
