"""`metrics.jsonl`, the samples of a training, and the same numbers and samples for TensorBoard and a tracker."""

import contextlib
import json
import logging
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from onepaper.display.gallery import save_samples, write_gallery
from onepaper.errors import explain_os_error
from onepaper.runs import write_atomic
from onepaper.training.tensorboard import TensorBoardWriter
from onepaper.training.trackers import open_tracker

METRICS_NAME = "metrics.jsonl"
TENSORBOARD_FOLDER = "tensorboard"
SAMPLES_FOLDER = "samples"

Row = dict[str, Any]


class Logs:
    """`metrics.jsonl`, one row per logged step, and the same numbers for TensorBoard and the run's tracker.

    Opening removes the rows after `step`, here and for TensorBoard: the resumed run writes them again.

    Args:
        folder: of the run; None writes nothing.
        step: from which the training starts.
    """

    def __init__(self, folder: Path | None, step: int) -> None:
        self.last: Row = {}
        self._path = folder / METRICS_NAME if folder else None
        if folder is None or self._path is None:
            return
        kept = [row for row in read_metrics(self._path) if row["step"] <= step]
        self.last = kept[-1] if kept else {}
        write_atomic(self._path, "".join(json.dumps(row) + "\n" for row in kept))
        if step == 0:
            shutil.rmtree(folder / TENSORBOARD_FOLDER, ignore_errors=True)
            shutil.rmtree(folder / SAMPLES_FOLDER, ignore_errors=True)
        self._rows = self._path.open("a", encoding="utf-8")
        self._tensorboard = TensorBoardWriter(folder / TENSORBOARD_FOLDER, step)
        self._tracker = open_tracker(folder, step)

    def write(self, step: int, row: Mapping[str, Any]) -> None:
        """Append one row; non-finite values become null."""
        kept = {name: value if math.isfinite(value) else None for name, value in row.items()}
        self.last = {"step": step, **kept}
        if self._path is None:
            return
        finite = {name: value for name, value in kept.items() if value is not None}
        with explain_os_error(self._path):
            self._rows.write(json.dumps(self.last) + "\n")
            self._rows.flush()
            self._tensorboard.write(step, finite)
        self._track(step, finite)

    def _track(self, step: int, row: Mapping[str, float]) -> None:
        """Send a row to the tracker, without which the training goes on where it fails."""
        if self._tracker is None:
            return
        try:
            self._tracker.write(step, row)
        except Exception as error:
            logging.getLogger(__name__).warning("step %d: the tracker failed and is left out (%s)", step, error)
            self._tracker = None

    def show(self, step: int, files: Mapping[str, bytes]) -> None:
        """Write the samples of this step: files, the page of all steps, and the kinds that TensorBoard displays."""
        if self._path is None:
            return
        folder = self._path.parent / SAMPLES_FOLDER
        save_samples(folder / f"step-{step}", files)
        write_gallery(folder, f"{self._path.parent.name}: samples")
        with explain_os_error(self._path):
            self._tensorboard.show(step, files)

    def sync(self) -> None:
        """Flush the rows to disk; called before the checkpoint of the same step is written."""
        if self._path is not None:
            with explain_os_error(self._path):
                os.fsync(self._rows.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._path is not None:
            # `write` has reported what could not be written; closing would report it a second time.
            with contextlib.suppress(OSError):
                self._rows.close()
            with contextlib.suppress(OSError):
                self._tensorboard.close()
            if self._tracker is not None:
                self._tracker.close()


def read_metrics(path: Path) -> list[Row]:
    """The rows of a `metrics.jsonl`; lines that are none, such as an incomplete last one after a crash, are skipped."""
    rows: list[Row] = []
    if not path.exists():
        return rows
    for line in path.read_bytes().splitlines():
        with contextlib.suppress(ValueError, RecursionError):  # not UTF-8 or no JSON; nested too deeply
            row = json.loads(line)
            if isinstance(row, dict) and type(row.get("step")) is int:
                rows.append(row)
    return rows
