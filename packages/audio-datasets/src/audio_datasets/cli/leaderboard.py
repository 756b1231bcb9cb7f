"""The verb `leaderboard`: baselines and best known results of the tasks."""

from onepaper.config import unknown
from onepaper.errors import UsageError
from onepaper.paper import Invocation

from audio_datasets.cli.options import LeaderboardOptions
from audio_datasets.tasks.leaderboard import PAPER_ROWS, leaderboard


def leaderboard_verb(call: Invocation) -> None:
    """The verb `leaderboard`: the rows of the paper's tables, best first."""
    options: LeaderboardOptions = call.options
    tasks = sorted({row.task for row in PAPER_ROWS})
    if options.task and options.task not in tasks:
        raise UsageError(unknown("task", options.task, tasks))
    for task in [options.task] if options.task else tasks:
        for row in leaderboard(task):
            print(f"{row.task:<16}{row.value:>7.3f}  {row.metric:<10}{row.kind:<10}{row.system} (table {row.table})")
