"""Trackers get every row, know a resumed training again, and are closed; both libraries are replaced by recorders."""

import json
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from onepaper.errors import UsageError
from onepaper.paper import TrainingOptions
from onepaper.runs import Run
from onepaper.training.logs import Logs


@dataclass(frozen=True)
class Config:
    width: int = 3
    path: str | None = None


@dataclass
class Recorder:
    """Calls of a library."""

    starts: list[dict[str, Any]] = field(default_factory=list)
    rows: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    closed: int = 0


def fake_wandb(recorder: Recorder) -> types.ModuleType:
    module = types.ModuleType("wandb")

    def init(**arguments: Any) -> Any:
        recorder.starts.append(arguments)
        return types.SimpleNamespace(
            id=arguments["id"] or f"id-{len(recorder.starts)}",
            log=lambda row, step: recorder.rows.append((step, row)),
            finish=lambda: setattr(recorder, "closed", recorder.closed + 1),
        )

    module.init = init  # type: ignore[attr-defined]
    return module


def fake_mlflow(recorder: Recorder) -> types.ModuleType:
    module: Any = types.ModuleType("mlflow")
    now: dict[str, Any] = {}

    def start_run(run_id: str | None, run_name: str | None) -> Any:
        recorder.starts.append({"project": now["experiment"], "id": run_id, "name": run_name})
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id=run_id or f"id-{len(recorder.starts)}"))

    module.set_experiment = lambda name: now.update(experiment=name)
    module.start_run = start_run
    module.log_params = lambda values: recorder.starts[-1].update(config=values)
    module.log_metrics = lambda row, step: recorder.rows.append((step, row))
    module.end_run = lambda: setattr(recorder, "closed", recorder.closed + 1)
    return module


@pytest.mark.parametrize("kind", ["wandb", "mlflow"])
def test_rows_and_resume(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setitem(sys.modules, kind, {"wandb": fake_wandb, "mlflow": fake_mlflow}[kind](recorder))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    options = TrainingOptions(tracker=kind)  # type: ignore[arg-type]
    folder = tmp_path / "run"
    for step in (0, 4):
        with (
            Run.open(folder, paper="books", verb="train", config=Config(), options=options),
            Logs(folder, step) as logs,
        ):
            logs.write(step + 4, {"loss": 0.5, "broken": float("nan")})
    network = folder / "denoiser"  # one of several networks of a run
    network.mkdir()
    with Logs(network, 0) as logs:
        logs.write(1, {"loss": 1.0})
    assert recorder.rows == [(4, {"loss": 0.5}), (8, {"loss": 0.5}), (1, {"loss": 1.0})]
    assert [start["id"] for start in recorder.starts] == [None, "id-1", None]
    first, _, other = recorder.starts
    assert first["project"] == "books"
    assert first["name"] == "run"
    assert first["config"] == {"width": 3 if kind == "wandb" else "3"}
    assert other["name"] == "run/denoiser"
    assert recorder.closed == 3
    assert json.loads((folder / "tracker.json").read_text()) == {"id": "id-1"}
    with Logs(folder, 0):  # a restart is another training
        pass
    assert recorder.starts[-1]["id"] is None


def test_a_training_goes_on_without_its_tracker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    library = fake_wandb(recorder)
    monkeypatch.setitem(sys.modules, "wandb", library)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    run = Run.open(tmp_path, paper="books", verb="train", config=Config(), options=TrainingOptions(tracker="wandb"))
    with run, Logs(tmp_path, 0) as logs:
        logs.write(1, {"loss": 1.0})
        monkeypatch.setattr(recorder, "rows", None)  # the library fails from here on
        logs.write(2, {"loss": 0.5})
        logs.write(3, {"loss": 0.4})
    assert [json.loads(row)["step"] for row in (tmp_path / "metrics.jsonl").read_text().splitlines()] == [1, 2, 3]
    assert [record.getMessage().split(" (")[0] for record in caplog.records] == [
        "step 2: the tracker failed and is left out"
    ]


def test_without_a_tracker_nothing_is_written(tmp_path: Path) -> None:
    with Logs(tmp_path, 0) as logs:
        logs.write(1, {"loss": 1.0})
    assert not (tmp_path / "tracker.json").exists()


def test_a_library_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="tracker is 'mlflow', which is not installed; pip install mlflow"):
        TrainingOptions(tracker="mlflow")
