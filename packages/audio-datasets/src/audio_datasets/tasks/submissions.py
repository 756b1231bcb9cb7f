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


def submission_csv(task: Task, ids: Sequence[str], predicted: npt.NDArray[Any]) -> str:
    """A CSV with the columns of the task: File_ID in square brackets, then ratings, or the name of the class.

    Args:
        task: gives the columns.
        ids: of the clips.
        predicted: ratings [clips, columns], or indices [clips] of classes.

    Raises:
        UsageError: another shape, an id twice, or predictions that are not finite, outside [0, 1] or no class.
    """
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
        else:
            if not (np.isfinite(row).all() and (row >= 0).all() and (row <= 1).all()):
                raise UsageError(f"ratings of '{name}' are not all numbers from 0 to 1")
            writer.writerow((f"[{name}]", *(f"{value:.6f}" for value in row)))
    return content.getvalue()


def check_submission(task: Task, path: Path, ids: Sequence[str]) -> int:
    """Read a submission and compare it with the ids of the split; the number of clips.

    Raises:
        UsageError: a missing file or column, an id that is missing, unknown or there twice, or a value out of range.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist; give a CSV of predictions")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise UsageError(f"{path} is not a readable CSV ({error}); write it again") from None
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
        for cell in row[1:]:
            try:
                good = 0 <= float(cell) <= 1
            except ValueError:
                good = False
            if not good:
                raise UsageError(f"{where} has {shortened(cell)}, expected a number from 0 to 1")
    if missing := wanted - seen:
        raise UsageError(f"{path} lacks {len(missing):,} clips, first {min(missing)}; expected all {len(wanted):,}")
    return len(seen)
