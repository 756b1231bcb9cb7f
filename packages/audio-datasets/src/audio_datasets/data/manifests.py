"""Clips from a CSV of your own, for Modulate-Sonata, Modulate-Stream and any other tree.

Columns are recognised by their names, or named in a JSON file beside the CSV. Times are in seconds, as bare numbers or
as [hours:]minutes:seconds.
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from onepaper.config import check_choice, read_json, shortened
from onepaper.errors import UsageError

from audio_datasets.data.clips import SPLITS, Clip, ClipSet
from audio_datasets.data.tables import Row, number, read_table

# Names that a column may have, for each attribute of a clip.
ALIASES: dict[str, tuple[str, ...]] = {
    "path": (
        "path",
        "file",
        "filename",
        "file_name",
        "wav",
        "audio",
        "audio_path",
        "filepath",
        "audio_filepath",
        "audio_file",
        "wav_path",
        "clip",
    ),
    "id": ("id", "file_id", "clip_id", "utterance_id", "utt_id"),
    "speaker": ("speaker", "speaker_id", "actor", "actor_id", "player", "player_id", "subject_id", "voice"),
    "split": ("split", "partition", "set", "subset", "fold"),
    "label": ("label", "emotion", "class", "category", "voc_type"),
    "group": ("group", "session", "session_id"),
    "country": ("country",),
    "text": ("text", "transcript", "transcription", "line", "sentence"),
    "start": ("start", "start_s", "start_time", "onset", "begin"),
    "end": ("end", "end_s", "end_time", "offset", "stop"),
    "duration": ("duration", "duration_s", "dur", "length_s", "seconds"),
}
COLUMNS_SUFFIX = ".columns.json"
"""of the file beside `NAME.csv` that names its columns: {"speaker": "Who", "ratings": ["Awe"]}"""
SPLIT_NAMES = {
    **{name: name for name in SPLITS},
    **dict.fromkeys(("val", "valid", "dev", "devel"), "validation"),
    **dict.fromkeys(("training",), "train"),
    **dict.fromkeys(("testing", "eval"), "test"),
}


def propose_columns(names: tuple[str, ...]) -> dict[str, str]:
    """Attribute of a clip -> column, for the columns whose names are known.

    `offset` is the end beside `onset`, and the start beside `duration`.
    """
    lower = {name.lower().strip().replace(" ", "_").replace("-", "_"): name for name in names}
    found = {}
    for attribute, aliases in ALIASES.items():
        column = next((lower[alias] for alias in aliases if alias in lower), None)
        if column is not None and column not in found.values():
            found[attribute] = column
    if "duration" in found and "start" not in found and found.get("end") == lower.get("offset"):
        found["start"] = found.pop("end")
    return found


def read_manifest(path: Path, name: str = "manifest", columns: Mapping[str, Any] | None = None) -> ClipSet:
    """The clips of a CSV, or of `manifest.csv` in a folder; paths are relative to the folder of the CSV.

    Args:
        path: the CSV, or the folder that holds it.
        name: of the data set.
        columns: attribute of a clip -> column, and under `ratings` the columns of ratings; None reads them from the
            file `NAME.columns.json` beside the CSV, and otherwise proposes them. Where `ratings` are not named, every
            other column of numbers only is one.

    Raises:
        UsageError: no such file, no column of paths, a path that leads outside, an unknown split, or times that are not
            numbers or that end before they start.
    """
    path = path / "manifest.csv" if path.is_dir() else path
    if not path.is_file():
        raise UsageError(
            f"{path} is missing; `onepaper audio-datasets data inspect --root {path.parent}` proposes a manifest.csv"
        )
    table = read_table(path)
    columns = dict(_given_columns(path) or propose_columns(table.columns) if columns is None else columns)
    named = columns.pop("ratings", None)
    _check_columns(columns, named, path)
    table.require((*columns.values(), *(named or ())))
    if "path" not in columns:
        raise UsageError(
            f"{path} has no column of paths, expected one of {', '.join(ALIASES['path'])}; or name it in "
            f"{path.stem}{COLUMNS_SUFFIX}, which `data inspect --root {path}` writes"
        )
    rows = list(table.rows())
    ratings = (
        tuple(named)
        if named is not None
        else tuple(
            column
            for column in table.columns
            if column not in columns.values() and rows and all(_is_number(row[column]) for _, row in rows)
        )
    )
    clips = tuple(_make_clip(path, row, columns, ratings, line) for line, row in rows)
    classes = tuple(sorted({clip.label for clip in clips if clip.label}))
    return ClipSet(name, clips, ratings, classes)


def _given_columns(path: Path) -> Any:
    beside = path.with_name(path.stem + COLUMNS_SUFFIX)
    return read_json(beside, "columns") if beside.is_file() else None


def _check_columns(columns: Any, ratings: Any, path: Path) -> None:
    for attribute, column in columns.items():
        check_choice(f"attribute of the columns of {path.name}", attribute, (*ALIASES, "ratings"))
        if not isinstance(column, str):
            raise UsageError(f"the column of {attribute} of {path.name} is {shortened(column)}, expected a name")
    if ratings is not None and not (isinstance(ratings, Sequence) and all(isinstance(name, str) for name in ratings)):
        raise UsageError(f"the ratings of {path.name} are {shortened(ratings)}, expected a list of columns")


def _make_clip(path: Path, row: Row, columns: dict[str, str], ratings: tuple[str, ...], line: int) -> Clip:
    where = f"{path}, line {line}"
    cells = {attribute: row[column].strip() for attribute, column in columns.items()}
    relative = Path(cells["path"])
    if relative.is_absolute() or ".." in relative.parts or not cells["path"]:
        raise UsageError(f"{where} names {shortened(cells['path'])}, expected a path below {path.parent}")
    split = cells.get("split", "").lower()
    if split and split not in SPLIT_NAMES:
        raise UsageError(f"{where} has the split {shortened(cells['split'])}, expected {', '.join(SPLITS)}")
    start = seconds_of(cells.get("start", ""), where) or 0.0
    end = seconds_of(cells.get("end", ""), where)
    if end is None and (length := seconds_of(cells.get("duration", ""), where)) is not None:
        end = start + length
    if end is not None and end <= start:
        raise UsageError(f"{where} ends at {end:g} s and starts at {start:g} s, expected an end after the start")
    targets = tuple(number(row[column].strip(), where, -1e9, 1e9) for column in ratings)
    given: dict[str, Any] = {
        key: cells[key] for key in ("speaker", "label", "group", "country", "text") if key in cells
    }
    return Clip(
        id=cells.get("id") or f"{relative.as_posix()}{f'@{start:g}' if start else ''}",
        path=path.parent / relative,
        split=SPLIT_NAMES.get(split, ""),
        targets=targets,
        start=start,
        seconds=None if end is None else end - start,
        **given,
    )


def seconds_of(value: str | float | timedelta, where: str) -> float | None:
    """Seconds of a number, a timedelta, or `12.5`, `1:02.5`, `0:01:02.5`, `1 day, 0:01:02.5` or `0 days 00:01:02.5`.

    None for an empty cell or NaT.

    Raises:
        UsageError: another form, or a negative time.
    """
    text = str(value.total_seconds() if isinstance(value, timedelta) else value).strip()
    if text in ("", "NaT"):
        return None
    found = re.fullmatch(r"(?:(\d+) days?,? )?(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)", text)
    seconds = math.inf
    if found:
        days, hours, minutes, rest = (float(part or 0) for part in found.groups())
        seconds = 86400 * days + 3600 * hours + 60 * minutes + rest
    if not math.isfinite(seconds):
        raise UsageError(f"{where} has the time {shortened(text)}, expected seconds such as 12.5, or minutes:seconds")
    return seconds


def _is_number(cell: str) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return True
