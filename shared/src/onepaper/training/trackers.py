"""Numbers of a training for Weights & Biases or MLflow, beside `metrics.jsonl` and TensorBoard.

The option `--tracker` of a training is in the record of its run (`run.json`), from which `open_tracker` takes it.
"""

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from onepaper.config import flatten
from onepaper.errors import OnePaperError
from onepaper.runs import RECORD_NAME, read_record, write_atomic

# Beside the record: under which name the tracker knows this training, so that a resumed one continues there.
_IDENTITY_NAME = "tracker.json"
# MLflow refuses longer values.
_LONGEST_VALUE = 500


class Tracker(Protocol):
    """What takes the rows of a training."""

    def write(self, step: int, row: Mapping[str, float]) -> None:
        """Take the numbers of one logged step."""
        ...

    def close(self) -> None:
        """Send what was not sent yet."""
        ...


def open_tracker(folder: Path, step: int) -> Tracker | None:
    """The tracker that the run's record names, or None.

    Args:
        folder: of the run, or of one of several networks in it.
        step: from which the training starts; 0 begins a new entry of the tracker.

    Raises:
        OnePaperError: the library does not start.
    """
    place = next((path for path in (folder, folder.parent) if (path / RECORD_NAME).is_file()), None)
    record = read_record(place / RECORD_NAME) if place else {}
    kind = (record.get("options") or {}).get("tracker", "none")
    if place is None or kind == "none":
        return None
    name = folder.relative_to(place.parent).as_posix()
    config = {key: value for key, value in flatten(record.get("config") or {}).items() if value is not None}
    kinds = {"wandb": _WeightsAndBiases, "mlflow": _MLflow}
    try:
        return kinds[kind](folder, record["paper"], name, config, _identity(folder, step))
    except Exception as error:  # of the library: no network, no account, a store that it does not take
        problem = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise OnePaperError(
            f"tracker {kind} did not start ({problem}); leave --tracker out to train without it"
        ) from error


def _identity(folder: Path, step: int) -> str | None:
    """The identity of an earlier part of the same training; None at its start."""
    path = folder / _IDENTITY_NAME
    return json.loads(path.read_text(encoding="utf-8"))["id"] if step and path.is_file() else None


def _remember(folder: Path, identity: str) -> None:
    write_atomic(folder / _IDENTITY_NAME, json.dumps({"id": identity}) + "\n")


class _WeightsAndBiases:
    """A run of Weights & Biases; rows of steps that it has already are ignored there."""

    def __init__(self, folder: Path, project: str, name: str, config: Mapping[str, Any], identity: str | None) -> None:
        wandb: Any = importlib.import_module("wandb")
        self._run: Any = wandb.init(
            project=project, name=name, config=dict(config), dir=str(folder), id=identity, resume="allow"
        )
        _remember(folder, self._run.id)

    def write(self, step: int, row: Mapping[str, float]) -> None:
        self._run.log(dict(row), step=step)

    def close(self) -> None:
        self._run.finish()


class _MLflow:
    """A run of MLflow, in the store that MLFLOW_TRACKING_URI names."""

    def __init__(self, folder: Path, project: str, name: str, config: Mapping[str, Any], identity: str | None) -> None:
        self._mlflow: Any = importlib.import_module("mlflow")
        self._mlflow.set_experiment(project)
        started = self._mlflow.start_run(run_id=identity, run_name=None if identity else name)
        if identity is None:
            self._mlflow.log_params({key: str(value)[:_LONGEST_VALUE] for key, value in config.items()})
        _remember(folder, started.info.run_id)

    def write(self, step: int, row: Mapping[str, float]) -> None:
        self._mlflow.log_metrics(dict(row), step=step)

    def close(self) -> None:
        self._mlflow.end_run()
