"""Clips from a CSV of your own, for Modulate-Sonata, Modulate-Stream and any other tree, and an inspector for trees.

Columns are recognised by their names. `start` and `end` are in seconds, as bare numbers or as
[hours:]minutes:seconds.
"""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from onepaper.audio import audio_files
from onepaper.config import shortened
from onepaper.errors import UsageError

from audio_datasets.data.clips import SPLITS, Clip, ClipSet
from audio_datasets.data.tables import Row, number, read_table

# Names that a column may have, for each attribute of a clip.
ALIASES: dict[str, tuple[str, ...]] = {
    "path": ("path", "file", "filename", "file_name", "wav", "audio", "audio_path", "filepath", "clip"),
    "id": ("id", "file_id", "clip_id", "utterance_id", "utt_id"),
    "speaker": ("speaker", "speaker_id", "actor", "actor_id", "player", "player_id", "subject_id", "voice"),
    "split": ("split", "partition", "set", "subset", "fold"),
    "label": ("label", "emotion", "class", "category", "voc_type"),
    "group": ("group", "session", "session_id"),
    "country": ("country",),
    "text": ("text", "transcript", "transcription", "line", "sentence"),
    "start": ("start", "start_s", "start_time", "onset", "begin"),
    "end": ("end", "end_s", "end_time", "offset", "stop"),
}
_SPLIT_NAMES = {
    **{name: name for name in SPLITS},
    **dict.fromkeys(("val", "valid", "dev", "devel"), "validation"),
    **dict.fromkeys(("training",), "train"),
    **dict.fromkeys(("testing", "eval"), "test"),
}


def propose_columns(names: tuple[str, ...]) -> dict[str, str]:
    """Attribute of a clip -> column, for the columns whose names are known."""
    lower = {name.lower().strip().replace(" ", "_").replace("-", "_"): name for name in names}
    found = {}
    for attribute, aliases in ALIASES.items():
        column = next((lower[alias] for alias in aliases if alias in lower), None)
        if column is not None and column not in found.values():
            found[attribute] = column
    return found


def read_manifest(path: Path, name: str = "manifest", columns: dict[str, str] | None = None) -> ClipSet:
    """The clips of a CSV, or of `manifest.csv` in a folder; paths are relative to the folder of the CSV.

    Args:
        path: the CSV, or the folder that holds it.
        name: of the data set.
        columns: attribute of a clip -> column; None proposes them. Every other column of numbers only is a rating.

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
    columns = propose_columns(table.columns) if columns is None else columns
    table.require(tuple(columns.values()))
    if "path" not in columns:
        raise UsageError(f"{path} has no column of paths, expected one of {', '.join(ALIASES['path'])}")
    rows = list(table.rows())
    ratings = tuple(
        column
        for column in table.columns
        if column not in columns.values() and rows and all(_is_number(row[column]) for _, row in rows)
    )
    clips = tuple(_make_clip(path, row, columns, ratings, line) for line, row in rows)
    classes = tuple(sorted({clip.label for clip in clips if clip.label}))
    return ClipSet(name, clips, ratings, classes)


def _make_clip(path: Path, row: Row, columns: dict[str, str], ratings: tuple[str, ...], line: int) -> Clip:
    where = f"{path}, line {line}"
    cells = {attribute: row[column].strip() for attribute, column in columns.items()}
    relative = Path(cells["path"])
    if relative.is_absolute() or ".." in relative.parts or not cells["path"]:
        raise UsageError(f"{where} names {shortened(cells['path'])}, expected a path below {path.parent}")
    split = cells.get("split", "").lower()
    if split and split not in _SPLIT_NAMES:
        raise UsageError(f"{where} has the split {shortened(cells['split'])}, expected {', '.join(SPLITS)}")
    start = seconds_of(cells.get("start", ""), where) or 0.0
    end = seconds_of(cells.get("end", ""), where)
    if end is not None and end <= start:
        raise UsageError(f"{where} ends at {end:g} s and starts at {start:g} s, expected an end after the start")
    targets = tuple(number(row[column].strip(), where, -1e9, 1e9) for column in ratings)
    given = {key: cells[key] for key in ("speaker", "label", "group", "country", "text") if key in cells}
    return Clip(
        id=cells.get("id") or f"{relative.as_posix()}{f'@{start:g}' if start else ''}",
        path=path.parent / relative,
        split=_SPLIT_NAMES.get(split, ""),
        targets=targets,
        start=start,
        seconds=None if end is None else end - start,
        **given,
    )


def seconds_of(cell: str, where: str) -> float | None:
    """Seconds of `12.5`, `1:02.5`, `0:01:02.5` or `0 days 00:01:02.5`; None for an empty cell.

    Raises:
        UsageError: another form, or a negative time.
    """
    if not cell:
        return None
    found = re.fullmatch(r"(?:(\d+) days? )?(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?(?:[eE]-?\d+)?)", cell.strip())
    if not found:
        raise UsageError(f"{where} has the time {shortened(cell)}, expected seconds such as 12.5, or minutes:seconds")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 86400 * days + 3600 * hours + 60 * minutes + seconds


def _is_number(cell: str) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return True


def propose_manifest(root: Path) -> Iterator[str]:
    """Lines of a CSV for a tree of audio: path, speaker, label and split, as far as folder names say them.

    A folder named like a split gives the split; of the other levels, the one with more distinct names that hold audio
    is proposed as the speaker and the next one as the label. It is a proposal to check, not a fact.

    Raises:
        UsageError: no audio there.
    """
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder; give the folder of your copy")
    files = [path.relative_to(root) for path in audio_files(root)]
    depth = min(len(path.parts) for path in files) - 1
    levels = [[path.parts[level] for path in files] for level in range(depth)]
    split_level = next(
        (n for n, names in enumerate(levels) if all(name.lower() in _SPLIT_NAMES for name in names)), None
    )
    others = sorted(
        (n for n in range(depth) if n != split_level and len(set(levels[n])) > 1), key=lambda n: -len(set(levels[n]))
    )
    named = dict(zip(("speaker", "label"), others, strict=False))
    yield _csv_line(["path", *named, *(["split"] if split_level is not None else [])])
    for row, path in enumerate(files):
        cells = [path.as_posix(), *(levels[level][row] for level in named.values())]
        if split_level is not None:
            cells.append(_SPLIT_NAMES[levels[split_level][row].lower()])
        yield _csv_line(cells)


def _csv_line(cells: list[str]) -> str:
    content = io.StringIO()
    csv.writer(content, lineterminator="").writerow(cells)
    return content.getvalue()
