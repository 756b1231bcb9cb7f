"""Tasks: numbers of outputs and official orders of columns."""

import pytest
from onepaper.errors import UsageError

from audio_datasets.catalogue.records import read_catalogue
from audio_datasets.data.loaders import LOADERS
from audio_datasets.tasks.definitions import CULTURE_COLUMNS, SONATA_EMOTIONS, TASKS, get_task


def test_outputs() -> None:
    found = {name: task.outputs for name, task in TASKS.items()}
    assert found == {
        "avb-high": 10, "avb-two": 2, "avb-culture": 40, "avb-type": 8, "exvo-multitask": 15,
        "exvo-generate": 10, "exvo-few-shot": 10, "prosody-9": 9, "sonata-25": 25,
    }  # fmt: skip
    assert {task.loader for task in TASKS.values()} <= set(LOADERS)
    assert {task.dataset for task in TASKS.values()} <= set(read_catalogue())


def test_orders() -> None:
    assert get_task("avb-high").columns[0] == "Awe"
    assert CULTURE_COLUMNS[0] == "China_Awe"
    assert CULTURE_COLUMNS[9] == "United States_Awe"
    assert CULTURE_COLUMNS[36:] == (
        "China_Surprise",
        "United States_Surprise",
        "South Africa_Surprise",
        "Venezuela_Surprise",
    )
    assert len(set(CULTURE_COLUMNS)) == 40
    assert len(set(SONATA_EMOTIONS)) == 25


def test_bounds() -> None:
    task = get_task("exvo-multitask")
    assert task.columns[:3] == ("Country", "Age", "Awe")
    assert [task.bounds(column) for column in task.columns[:3]] == [(0, 3), (0, 120), (0, 1)]
    assert get_task("avb-two").bounds("Arousal") == (0, 1)


def test_unknown() -> None:
    with pytest.raises(UsageError, match="did you mean 'avb-high'"):
        get_task("avb-hig")
