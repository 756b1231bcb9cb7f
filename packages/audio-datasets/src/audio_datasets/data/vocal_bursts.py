"""Hume-VocalBurst from a copy of one of its two releases (paper, section 2.2).

A-VB has `audio/wav/ID.wav` and `labels/TASK_info.csv`. ExVo has `data_info.csv` with speakers, countries, ages and
ratings, whose columns follow the official code: ExVo2022/ExVo-FewShot/create_splits.py and
ExVo2022/ExVo-MultiTask/main.py of github.com/HumeAI/competitions. Labels of the test splits are blank.

With `strict_official`, files are read as that code reads them: columns have their places, types of bursts are numbered
by the alphabet, and `low` is another name of the task Two (A-VB2022/end-to-end_based of the same repository).
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from onepaper.config import shortened
from onepaper.errors import UsageError

from audio_datasets.data.clips import Clip, ClipSet
from audio_datasets.data.tables import CsvTable, clip_id, number, read_table
from audio_datasets.tasks.definitions import BURST_EMOTIONS, COUNTRIES, MAX_AGE, get_task

_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_EXVO_LABELS = "data_info.csv"


def load_vocal_bursts(root: Path, task: str = "high", *, strict_official: bool = False) -> ClipSet:
    """The clips of one A-VB task with its targets; those of the blind test split have none.

    Args:
        root: folder of the release.
        task: high, two, culture or type.
        strict_official: columns in their official order, and classes in that of the alphabet.

    Raises:
        UsageError: a missing file or column, an id or number that cannot be read, or a rating outside [0, 1].
    """
    definition = get_task(f"avb-{task}")
    path = root / "labels" / f"{task}_info.csv"
    if strict_official and task == "two" and not path.is_file():
        path = path.with_name("low_info.csv")
    table = read_table(path)
    columns = ("File_ID", "Split", *definition.columns)
    if strict_official:
        table.require_order(columns)
    table.require(columns)
    clips = []
    for line, row in table.rows():
        split = table.choice(row, "Split", _SPLITS, line)
        name = clip_id(row["File_ID"], f"{path}, line {line}")
        values = [row[column].strip() for column in definition.columns]
        blank = not any(values)
        audio = root / "audio" / "wav" / f"{name}.wav"
        record = Clip(name, audio, split=split, speaker=row.get("Subject_ID", "").strip())
        if definition.kind == "classes":
            record = record._replace(label="" if blank else values[0])
        elif not blank:
            # A clip of Culture has ratings by the raters of its own country; the other columns are empty.
            ratings = tuple(number(value, f"{path}, line {line}", 0.0, 1.0) for value in values)
            record = record._replace(targets=ratings)
        clips.append(record)
    targets = () if definition.kind == "classes" else definition.columns
    classes = tuple(sorted(definition.classes)) if strict_official else definition.classes
    return ClipSet("hume-vocalburst", tuple(clips), targets, classes)


def load_exvo(root: Path, *, strict_official: bool = False) -> ClipSet:
    """The clips with ten ratings, speaker and country; those of the blind test split may have none.

    Audio is `wav/ID.wav`, or `audio/wav/ID.wav` where there is no folder `wav`. With `strict_official` the columns are
    File_ID, Split, Subject_ID, two others, and from the sixth on the ratings.

    Raises:
        UsageError: a missing file or column, an id or number that cannot be read, or a rating outside [0, 1].
    """
    table = _open_exvo(root)
    if strict_official:
        table.require_order(("File_ID", "Split", "Subject_ID", *table.columns[3:5], *BURST_EMOTIONS))
    audio = root / "wav" if (root / "wav").is_dir() else root / "audio" / "wav"
    clips = []
    for line, row in table.rows():
        where = f"{table.path}, line {line}"
        name = clip_id(row["File_ID"], where)
        values = [row[column].strip() for column in BURST_EMOTIONS]
        targets = tuple(number(value, where, 0.0, 1.0) for value in values) if any(values) else ()
        clips.append(
            Clip(
                name,
                audio / f"{name}.wav",
                speaker=row["Subject_ID"].strip(),
                split=table.choice(row, "Split", _SPLITS, line),
                targets=targets,
                country=row["Country"].strip(),
            )
        )
    return ClipSet("hume-vocalburst", tuple(clips), BURST_EMOTIONS)


def multitask_targets(root: Path, clips: ClipSet) -> Float[np.ndarray, "clips 12"]:
    """Number of the country, age in years and ten ratings of each clip, as in a submission; NaN where blank.

    The number of a country is its place among those of the copy in alphabetical or numerical order, as the official
    code encodes it.

    Raises:
        UsageError: an age that is no number up to 120, or more than four countries.
    """
    table = _open_exvo(root)
    ages = {
        clip_id(row["File_ID"], where): number(row["Age"].strip(), where, 0.0, MAX_AGE)
        for line, row in table.rows()
        for where in [f"{table.path}, line {line}"]
    }
    index = {name: float(place) for place, name in enumerate(countries(clips))}
    blank = [index.get(clip.country, np.nan) for clip in clips], [ages[clip.id] for clip in clips]
    return np.column_stack([*blank, clips.ratings()])


def countries(clips: ClipSet) -> tuple[str, ...]:
    """The countries of a copy, in the order of their numbers.

    Raises:
        UsageError: more than four.
    """
    found = sorted({clip.country for clip in clips if clip.country})
    if len(found) > len(COUNTRIES):
        shown = shortened(", ".join(found))
        raise UsageError(f"'{clips.name}' has {len(found)} countries ({shown}), expected at most {len(COUNTRIES)}")
    return tuple(found)


def _open_exvo(root: Path) -> CsvTable:
    table = read_table(root / _EXVO_LABELS)
    table.require(("File_ID", "Split", "Subject_ID", "Country", "Age", *BURST_EMOTIONS))
    return table
