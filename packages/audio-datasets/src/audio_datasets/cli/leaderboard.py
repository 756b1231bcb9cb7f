"""The verb `leaderboard`: baselines and best known results of the tasks, and results of one's own."""

from pathlib import Path

from onepaper.config import read_json, unknown
from onepaper.errors import UsageError
from onepaper.paper import Invocation

from audio_datasets.cli.options import LeaderboardOptions
from audio_datasets.tasks.leaderboard import PAPER_ROWS, Row, leaderboard


def leaderboard_verb(call: Invocation) -> None:
    """The verb `leaderboard`: the rows of the paper's tables and of runs, best first."""
    options: LeaderboardOptions = call.options
    if options.dry_run:
        print(f"would show {options.task or 'all tasks'}")
        return
    ours = tuple(_row(folder) for folder in options.runs)
    tasks = sorted({row.task for row in (*PAPER_ROWS, *ours)})
    if options.task and options.task not in tasks:
        raise UsageError(unknown("task", options.task, tasks))
    for task in [options.task] if options.task else tasks:
        for row in leaderboard(task, ours):
            source = f"table {row.table}" if row.table else "not in the paper"
            print(f"{row.task:<16}{row.value:>7.3f}  {row.metric:<14}{row.kind:<10}{row.system} ({source})")


def _row(folder: Path) -> Row:
    path = folder / "evaluation.json"
    content = read_json(path, "evaluation of a task")
    try:
        metric, values = next(iter(content["scores"].items()))
        value, split = float(values["clips"]["value"]), str(content["split"])
        return Row(str(content["task"]), f"{content['system']}, {split} split", metric, value, "", "ours")
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration):
        raise UsageError(f"{path} has no score of a task; give a folder that `evaluate --task` wrote") from None
