"""Hume-VocalBurst from a copy of A-VB: `audio/wav/ID.wav` and `labels/TASK_info.csv` (paper, section 2.2)."""

from pathlib import Path

from audio_datasets.data.clips import Clip, ClipSet
from audio_datasets.data.tables import clip_id, number, read_table
from audio_datasets.tasks.definitions import get_task

_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def load_vocal_bursts(root: Path, task: str = "high", audio: str = "audio/wav/{}.wav") -> ClipSet:
    """The clips of one A-VB task with its targets; those of the blind test split have none.

    Args:
        root: folder of the release.
        task: high, two, culture or type.
        audio: path of a clip below `root`, with {} for its id.

    Raises:
        UsageError: a missing file or column, an id or number that cannot be read, or a rating outside [0, 1].
    """
    definition = get_task(f"avb-{task}")
    path = root / "labels" / f"{task}_info.csv"
    table = read_table(path)
    table.require(("File_ID", "Split", *definition.columns))
    clips = []
    for line, row in table.rows():
        split = table.choice(row, "Split", _SPLITS, line)
        name = clip_id(row["File_ID"], f"{path}, line {line}")
        values = [row[column].strip() for column in definition.columns]
        blank = not any(values)
        record = Clip(name, root / audio.format(name), split=split, speaker=row.get("Subject_ID", "").strip())
        if definition.kind == "classes":
            record = record._replace(label="" if blank else values[0])
        elif not blank:
            # A clip of Culture has ratings by the raters of its own country; the other columns are empty.
            ratings = tuple(number(value, f"{path}, line {line}", 0.0, 1.0) for value in values)
            record = record._replace(targets=ratings)
        clips.append(record)
    targets = () if definition.kind == "classes" else definition.columns
    return ClipSet("hume-vocalburst", tuple(clips), targets, definition.classes)
