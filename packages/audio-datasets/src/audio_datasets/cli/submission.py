"""The verb `submission`: checks a CSV of predictions before it is sent to the organisers of a task."""

from pathlib import Path

from onepaper.errors import UsageError
from onepaper.paper import Invocation

from audio_datasets.cli.options import SubmissionOptions
from audio_datasets.protocols import load_task
from audio_datasets.tasks.definitions import get_task
from audio_datasets.tasks.few_shot import episodes
from audio_datasets.tasks.submissions import check_submission


def submission_verb(call: Invocation) -> None:
    """The verb `submission`: compares a CSV of predictions with the clips of a split."""
    options: SubmissionOptions = call.options
    if not options.task or options.file is None or options.root is None:
        raise UsageError("submission needs a task, a file and your copy: submission TASK FILE --root FOLDER")
    if options.dry_run:
        print(f"would check {options.file}")
        return
    count = check_submission(get_task(options.task), options.file, _asked(options, options.root))
    print(f"{options.file}: {count:,} clips, complete and in range")


def _asked(options: SubmissionOptions, root: Path) -> list[str]:
    """Ids of the clips that a submission holds: all of the split, or the queries of a few-shot task."""
    data = load_task(get_task(options.task), root)
    part = data.clips.split(options.split)
    ids = part.values("id")
    if not data.task.support:
        return ids
    found = episodes(part.values("speaker"), data.task.support)
    return [ids[row] for episode in found for row in episode.queries]
