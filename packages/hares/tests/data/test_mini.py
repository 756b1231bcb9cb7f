"""Folds share no group, and every class is in the training part of every fold."""

import pytest
from onepaper.errors import UsageError

from hares.data.mini import MINI_TASKS, MiniTask, mini_task
from hares.data.tasks import DOMAINS, MINI_NAMES, TASKS


@pytest.mark.parametrize("task", MINI_TASKS, ids=lambda task: task.name)
def test_folds(task: MiniTask) -> None:
    clips = task.clips()
    folds = {group: {clip.fold for clip in clips if clip.group == group} for group in {clip.group for clip in clips}}
    assert all(len(found) == 1 for found in folds.values())
    classes = {clip.label for clip in clips}
    for fold in {clip.fold for clip in clips}:
        assert {clip.label for clip in clips if clip.fold != fold} == classes
    assert task.stands_for in {known.name for known in TASKS}


def test_every_domain_has_a_task() -> None:
    assert {task.domain for task in MINI_TASKS} == set(DOMAINS)
    assert [task.name for task in MINI_TASKS] == list(MINI_NAMES)
    with pytest.raises(UsageError, match="mini_pitch"):
        mini_task("mini_pich")
