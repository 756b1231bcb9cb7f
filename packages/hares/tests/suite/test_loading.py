"""Every task of the suite has a loader."""

from pathlib import Path

import pytest
from onepaper.errors import UsageError

from hares.data.tasks import READINGS, TASKS
from hares.suite.loading import LOADERS, open_task


def test_every_task_is_there(tmp_path: Path) -> None:
    assert {task.name for task in TASKS} == set(LOADERS) - {"speech_commands_v1_raw30"}
    assert set(READINGS) == set(LOADERS)
    for name in LOADERS:
        with pytest.raises(UsageError):
            open_task(name, tmp_path)
    with pytest.raises(UsageError, match="did you mean 'esc50'"):
        open_task("esc5", tmp_path)
    with pytest.raises(UsageError, match="is not a folder"):
        open_task("esc50", tmp_path / "missing")
