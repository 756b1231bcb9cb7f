"""Clips as a database of the library audformat: a table of segments with schemes for labels, speakers and ratings."""

from pathlib import Path
from typing import Any

import numpy as np
from onepaper.runs import new_folder

from audio_datasets.data.clips import SPLITS, ClipSet
from audio_datasets.exports.encoding import check_times, import_library

TABLE = "clips"


def write_audformat(folder: Path, clips: ClipSet, licence: str | None = None) -> int:
    """Write what `audformat.Database.load` reads, `db.yaml` and the table `clips`; the number of clips.

    Segments begin and end as the clips do, with NaT where a clip reads to the end of its file. Audio is not copied:
    files are absolute paths.

    Args:
        folder: must not exist yet.
        clips: in the order of the table.
        licence: of the data set, where it is known.

    Raises:
        UsageError: clips without their silence, or the library is not installed.
        OnePaperError: the folder exists, or the disk is full.
    """
    library = import_library("audformat")
    check_times(clips)
    database = library.Database(clips.name, usage=library.define.Usage.OTHER, license=licence)
    texts = [name for name in ("id", "speaker", "group", "country", "text") if any(clips.values(name))]
    for name in texts:
        database.schemes[name] = library.Scheme("str")
    if clips.classes:
        database.schemes["label"] = library.Scheme(labels=list(clips.classes))
    for name in clips.targets:
        database.schemes[name] = library.Scheme("float")
    index = library.segmented_index(
        [str(clip.path.absolute()) for clip in clips],
        [_time(clip.start) for clip in clips],
        [None if clip.seconds is None else _time(clip.start + clip.seconds) for clip in clips],
    )
    table = database[TABLE] = library.Table(index)
    for name in texts:
        _fill(library, table, name, clips.values(name), name)
    if any(clips.values("split")):
        database.schemes["split"] = library.Scheme(labels=list(SPLITS))
        _fill(library, table, "split", [value or None for value in clips.values("split")], "split")
    if clips.classes:
        _fill(library, table, "label", [value or None for value in clips.values("label")], "label")
    for name, values in zip(clips.targets, np.transpose(clips.ratings()), strict=True):
        _fill(library, table, name, values, name)
    with new_folder(folder) as content:
        database.save(str(content), storage_format="csv")
    return len(clips)


def _time(seconds: float) -> str:
    return f"{round(seconds * 1e9)}ns"


def _fill(library: Any, table: Any, name: str, values: Any, scheme: str) -> None:
    table[name] = library.Column(scheme_id=scheme)
    table[name].set(values)
