"""The suite as printed."""

from collections import Counter

from hares.data.tasks import TASKS


def test_suite() -> None:
    assert Counter(task.domain for task in TASKS) == {"environment": 4, "speech": 5, "music": 3}
    assert [task.classes for task in TASKS] == [527, 2, 10, 50, 12, 35, 31, 6, 1251, 128, 11, 50]
    assert [task.name for task in TASKS if task.metric != "accuracy"] == ["audioset", "magnatagatune"]
    assert {task.probe for task in TASKS if task.name not in ("audioset", "esc50")} == {"linear"}
