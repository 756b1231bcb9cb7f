"""Predictions as the CSV files that the organisers of a task take, written and validated.

Targets of the test split are blind: predictions are sent, and only scores of the validation split can be computed.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onepaper.config import shortened, unknown
from onepaper.errors import UsageError

from audio_datasets.tasks.definitions import Task

# A row has at most 42 cells of a few characters: larger files are no submissions.
_MAX_BYTES = 2**28


def submission_csv(task: Task, ids: Sequence[str], predicted: npt.NDArray[Any]) -> str:
    """A CSV with the columns of the task: File_ID in square brackets, then numbers, or the name of the class.

    Args:
        task: gives the columns.
        ids: of the clips.
        predicted: numbers [clips, columns], or indices [clips] of classes.

    Raises:
        UsageError: another shape, an id twice, or predictions that are not finite, out of range or no class; or a task
            without predictions of clips.
    """
    _check_kind(task)
    values = np.asarray(predicted)
    expected = (len(ids),) if task.kind == "classes" else (len(ids), len(task.columns))
    if values.shape != expected:
        raise UsageError(f"predictions of {task.id} have shape {values.shape}, expected {expected}")
    if len(set(ids)) != len(ids):
        raise UsageError("an id is there twice; expected one prediction a clip")
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(("File_ID", *task.columns))
    for name, row in zip(ids, values, strict=True):
        if task.kind == "classes":
            if not 0 <= row < len(task.classes):
                raise UsageError(f"the class of '{name}' is {row}, expected 0 to {len(task.classes) - 1}")
            writer.writerow((f"[{name}]", task.classes[int(row)]))
            continue
        for column, value in zip(task.columns, row, strict=True):
            low, high = task.bounds(column)
            if not low <= value <= high:
                raise UsageError(f"{column} of '{name}' is {value}, expected a number from {low:g} to {high:g}")
        writer.writerow((f"[{name}]", *map(_written, task.columns, row)))
    return content.getvalue()


def check_submission(task: Task, path: Path, ids: Sequence[str]) -> int:
    """Read a submission and compare it with the ids of the split; the number of clips.

    Raises:
        UsageError: a missing file or column, an id that is missing, unknown or there twice, or a value out of range.
    """
    _check_kind(task)
    header, *rows = _read(path)
    if tuple(header) != ("File_ID", *task.columns):
        raise UsageError(
            f"{path} has the columns {shortened(', '.join(header))}, expected File_ID, {', '.join(task.columns)}"
        )
    wanted, seen = {f"[{name}]" for name in ids}, set[str]()
    for line, row in enumerate(rows, start=2):
        where = f"{path}, line {line}"
        if len(row) != len(header):
            raise UsageError(f"{where} has {len(row)} cells, expected {len(header)}")
        if row[0] not in wanted or row[0] in seen:
            raise UsageError(
                f"{where} has the File_ID {shortened(row[0])}, expected each id of the split once, in square brackets"
            )
        seen.add(row[0])
        if task.kind == "classes":
            if row[1] not in task.classes:
                raise UsageError(f"{where}: {unknown('class', row[1], task.classes)}")
            continue
        for column, cell in zip(task.columns, row[1:], strict=True):
            _check_cell(task, column, cell, where)
    if missing := wanted - seen:
        raise UsageError(f"{path} lacks {len(missing):,} clips, first {min(missing)}; expected all {len(wanted):,}")
    return len(seen)


def _check_kind(task: Task) -> None:
    if task.kind == "generation":
        raise UsageError(f"{task.id} takes clips, not predictions; audio_datasets.generation_score scores them")


def _written(column: str, value: float) -> str:
    return f"{value:.0f}" if column == "Country" else f"{value:.6f}"


def _read(path: Path) -> list[list[str]]:
    if not path.is_file():
        raise UsageError(f"{path} does not exist; give a CSV of predictions")
    if not 0 < path.stat().st_size <= _MAX_BYTES:
        raise UsageError(f"{path} has {path.stat().st_size:,} bytes, expected a CSV of at most {_MAX_BYTES:,}")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise UsageError(f"{path} is not a readable CSV ({error}); write it again") from None


def _check_cell(task: Task, column: str, cell: str, where: str) -> None:
    low, high = task.bounds(column)
    try:
        value = float(cell)
    except ValueError:
        value = np.nan
    whole = column != "Country" or value.is_integer()
    if not (low <= value <= high and whole and "_" not in cell):
        kind = "number" if column != "Country" else "whole number"
        raise UsageError(f"{where} has {shortened(cell)} as {column}, expected a {kind} from {low:g} to {high:g}")
