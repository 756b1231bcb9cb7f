"""Clips of a task with their labels and parts, and the tables that data sets describe them by."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from onepaper.config import shortened
from onepaper.errors import UsageError

from hares.data.tasks import Task

_LONGEST_NAME = 255


class SuiteClip(NamedTuple):
    """A clip of a task.

    Attributes:
        path: the audio file.
        part: train, validation or test; of ESC-50 a fold, 1 to 5.
        labels: index of the class; of Fluent Speech Commands one index a slot; of tags the indices of all that are
            there.
        group: speaker or recording, where parts must not share one; empty where it is not known.
        start: in seconds.
        seconds: its length; None reads to the end of the file.
    """

    path: Path
    part: str
    labels: tuple[int, ...]
    group: str = ""
    start: float = 0.0
    seconds: float | None = None


@dataclass(frozen=True)
class SuiteData:
    """A task with the clips of a copy of its data set.

    Args:
        task: of HARES.
        clips: in the order of the tables.
        heads: names of the classes; Fluent Speech Commands has three heads, the others one.
        note: where splits or labels are not those of the paper.
        missing: files that tables name and the copy lacks.

    Raises:
        UsageError: no clips for training or test, a file in two parts, or a group in training and test.
    """

    task: Task
    clips: tuple[SuiteClip, ...]
    heads: tuple[tuple[str, ...], ...]
    note: str = ""
    missing: tuple[Path, ...] = field(default=())

    def __post_init__(self) -> None:
        name = self.task.name
        lack = (
            f", {len(self.missing):,} files are missing, first {shortened(str(self.missing[0]))}"
            if self.missing
            else ""
        )
        if not {"train", "test"} <= set(self.parts()) and not (self.folds and len(self.parts()) > 1):
            there = ", ".join(self.parts()) or "none"
            raise UsageError(f"{name}: expected clips for training and test, the copy has clips of: {there}{lack}")
        part_of: dict[tuple[Path, float], str] = {}
        for clip in self.clips:
            if part_of.setdefault((clip.path, clip.start), clip.part) != clip.part:
                raise UsageError(
                    f"{name}: {clip.path} is in two parts, {clip.part} and {part_of[clip.path, clip.start]}"
                )
        seen = {clip.group for clip in self.clips if clip.part == "train" and clip.group}
        if shared := [clip.group for clip in self.clips if clip.part == "test" and clip.group in seen]:
            raise UsageError(f"{name}: {shortened(shared[0])} is in training and test; expected separate speakers")

    def parts(self) -> dict[str, int]:
        """Number of clips of each part."""
        return dict(sorted(Counter(clip.part for clip in self.clips).items()))

    @property
    def folds(self) -> bool:
        """Whether parts are folds, each of which is tested once."""
        return self.task.name == "esc50"

    @property
    def several(self) -> bool:
        """Whether a clip may have several classes."""
        return self.task.metric == "mean average precision"


def read_rows(path: Path, delimiter: str = ",", columns: Sequence[str] | None = None) -> Iterator[dict[str, str]]:
    """Rows of a CSV with the needed columns.

    Args:
        path: of the file.
        delimiter: between cells.
        columns: names where the file has no header line; lines that begin with # are then skipped.

    Raises:
        UsageError: the file is missing, not UTF-8 or no CSV, or a row has another number of cells than the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = (line for line in file if columns is None or not line.startswith("#"))
            reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
            header = list(columns) if columns is not None else next(reader, [])
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    where = f"{path}, line {reader.line_num}"
                    raise UsageError(f"{where} has {len(cells)} cells, expected {len(header)} as in the header")
                yield dict(zip(header, cells, strict=True))
    except FileNotFoundError:
        raise UsageError(f"{path} is missing; give the folder of the data set as it was published") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} is not a readable CSV ({error}); copy it again") from None


def cell(row: dict[str, str], column: str, path: Path) -> str:
    """The cell of a column.

    Raises:
        UsageError: the table has no such column.
    """
    if column not in row:
        raise UsageError(f"{path} has no column '{column}'; it has {shortened(', '.join(row))}")
    return row[column].strip()


def read_lines(path: Path) -> list[str]:
    """Lines of a list of files, without empty ones.

    Raises:
        UsageError: the file is missing or not UTF-8.
    """
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except FileNotFoundError:
        raise UsageError(f"{path} is missing; give the folder of the data set as it was published") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a readable list ({error}); copy it again") from None


def inside(root: Path, name: str, where: Path) -> Path:
    """The path of a file that a table names, below `root`.

    Raises:
        UsageError: the name leads outside.
    """
    relative = Path(name)
    too_long = any(len(part.encode()) > _LONGEST_NAME for part in relative.parts)
    if not name or relative.is_absolute() or ".." in relative.parts or "\0" in name or too_long:
        raise UsageError(f"{where} names {shortened(name)}, expected a path below {root}")
    return root / relative


def index_of(name: str, names: Sequence[str], where: Path) -> int:
    """The index of a class.

    Raises:
        UsageError: it is not one of `names`.
    """
    if name not in names:
        raise UsageError(f"{where} has the label {shortened(name)}, expected one of {shortened(', '.join(names))}")
    return names.index(name)


def present(clips: Iterator[SuiteClip]) -> tuple[tuple[SuiteClip, ...], tuple[Path, ...]]:
    """Clips whose files are there and not empty, and the paths of the others."""
    found: list[SuiteClip] = []
    missing: list[Path] = []
    for clip in clips:
        if clip.path.is_file() and clip.path.stat().st_size:
            found.append(clip)
        else:
            missing.append(clip.path)
    return tuple(found), tuple(missing)
