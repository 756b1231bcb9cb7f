"""The training loop: steps, time and files, independent of the framework.

`fit` calls a task's `step(state, batch)` and adds progress, logs, evaluation, checkpoints, a wall-clock budget, a check
for non-finite values, and clean stops. A stopped or killed run is resumed by the same command; on one machine the
result has the same bits as an uninterrupted run.
"""

import functools
import math
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

from onepaper import progress
from onepaper.accelerator import Processes
from onepaper.checkpoints import Checkpoints, Tree
from onepaper.config import check_choice, check_non_negative, check_positive, outside_identity
from onepaper.errors import OnePaperError, UsageError
from onepaper.runs import Run
from onepaper.training.logs import Logs, Row
from onepaper.training.signals import _Signals as StopSignals  # pyright: ignore[reportPrivateUsage]

State = TypeVar("State")
Batch = TypeVar("Batch")
Batch_contra = TypeVar("Batch_contra", contravariant=True)

CHECKPOINTS_FOLDER = "checkpoints"


class Task(Protocol[State, Batch_contra]):
    """What is trained.

    The loop does not inspect the state. `step` may donate (invalidate) the state that it is given.
    """

    def init(self, seed: int) -> State:
        """A new state."""
        ...

    def step(self, state: State, batch: Batch_contra) -> tuple[State, Mapping[str, Any]]:
        """One update. Metrics may be lazy scalars; `float` of them waits for the device."""
        ...

    def non_finite(self, state: State) -> str | None:
        """The name of a tensor that holds NaN or infinity, if one does."""
        ...

    def save(self, state: State, folder: Path) -> Tree:
        """Write the state into an empty folder; its tree of shapes and dtypes. Called on every process."""
        ...

    def restore(self, folder: Path, tree: Tree) -> State:
        """The state that `save` wrote."""
        ...


Evaluate = Callable[[State], Mapping[str, float]]
Draw = Callable[[State], Mapping[str, bytes]]
Hook = Callable[[int, State, Mapping[str, Any]], None]


@dataclass(frozen=True)
class LoopOptions:
    """How long to train and what to write on the way."""

    steps: int
    """total updates, those before a resume included; more than a finished run had continue it"""
    log_every: int = 50
    """steps between log rows; a row holds the means since the last one"""
    evaluate_every: int = 0
    """steps between evaluations; 0 evaluates at the end only"""
    checkpoint_every: int = 1000
    """steps between checkpoints; 0 saves at the end and on a stop only"""
    keep_checkpoints: int = 3
    max_minutes: float = 0.0
    """stop after this wall-clock time of this command, with a checkpoint; 0 sets no limit"""
    resume: Literal["auto", "require", "restart"] = "auto"
    """auto: resume from a checkpoint if there is one; require: an error without one; restart: delete the old ones"""

    def __post_init__(self) -> None:
        check_non_negative("steps", self.steps)
        check_positive("log_every", self.log_every)
        check_non_negative("evaluate_every", self.evaluate_every)
        check_non_negative("checkpoint_every", self.checkpoint_every)
        check_positive("keep_checkpoints", self.keep_checkpoints)
        check_non_negative("max_minutes", self.max_minutes)
        check_choice("resume", self.resume, ("auto", "require", "restart"))


# A state after step N is the same with all values of these, so that they may differ when a run is resumed.
outside_identity(LoopOptions, *(field.name for field in fields(LoopOptions)))


@dataclass
class Fitted(Generic[State]):
    """How a training ended."""

    state: State
    step: int
    finished: bool
    """False where the wall-clock budget ended it"""
    metrics: Row
    """the last log row"""
    seconds: float


class Stopped(OnePaperError):
    """A signal ended the training; everything is saved. The exit code is the shell's 128 + signal."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


def fit(
    task: Task[State, Batch],
    batches: Callable[[int], Batch],
    options: LoopOptions,
    run: Run | None = None,
    *,
    seed: int = 0,
    evaluate: Evaluate[State] | None = None,
    draw: Draw[State] | None = None,
    hooks: Sequence[Hook[State]] = (),
    processes: Processes | None = None,
    description: str = "training",
) -> Fitted[State]:
    """Train until `options.steps`, from the newest checkpoint of `run` if there is one.

    Args:
        task: what is trained.
        batches: batch number `step`, a pure function of it: the position in the data is the step.
        options: length and cadence.
        run: where logs and checkpoints go; None keeps nothing (short trainings inside a measurement).
        seed: of the initial state; a checkpoint of another seed is refused.
        evaluate: metrics of a state, called between steps on every process; it must not keep the state.
        draw: samples of a state as files by name, drawn at every evaluation of a run that has a folder. They are
            written to `samples/`, with a page that shows them all; .png, .wav and .txt files also go to TensorBoard.
        hooks: called as `hook(step, state, row)` after each log row, on every process.
        processes: of a distributed run; every one of them calls `fit`.
        description: of the progress bar.

    Raises:
        OnePaperError: a metric or the state is not finite (the last good checkpoint stays), or the disk is full.
        UsageError: the checkpoints are of another configuration, or `resume="require"` found none.
        Stopped: SIGTERM or SIGINT came; a checkpoint was saved first.
    """
    processes = processes or Processes()
    begun = time.monotonic()
    checkpoints = _open_checkpoints(run, options, seed, processes)
    restored = checkpoints.restore(task.restore) if checkpoints else None
    if restored:
        state, manifest = restored
        step, window = manifest.step, [dict(row) for row in manifest.extra["window"]]
        del restored  # no second reference to the state: steps may donate its memory
    else:
        if options.resume == "require":
            raise UsageError(f"no checkpoint to resume in {run.folder if run else 'a run without a folder'}")
        state, step, window = task.init(seed), 0, list[Row]()
    pending: list[Mapping[str, Any]] = []  # metrics not yet read: reading waits for the device
    due = Cadence(options)
    stopping = False

    with (
        Logs(run.folder if run and processes.is_main else None, step) as logs,
        StopSignals() as signals,
        progress.bar(options.steps, description, initial=step, unit="step") as shown,
    ):
        shown.disable = shown.disable or not processes.is_main
        mark = (step, time.monotonic())
        while step < options.steps and not stopping:
            state, metrics = task.step(state, batches(step))
            pending.append(metrics)
            step += 1
            shown.update()
            logging = due.log(step)
            # All processes must stop at the same step; they communicate at log steps only.
            if processes.world == 1 or logging:
                out_of_time = 0 < options.max_minutes * 60 <= time.monotonic() - begun
                stopping = processes.any(signals.received is not None or out_of_time)
            saving = checkpoints is not None and (due.checkpoint(step) or stopping)
            if logging or saving or stopping:
                window += _materialize(pending, step, checkpoints)
                pending = []
            row: Row = {}
            if logging:
                row = _means(window)
                window = []
                row["steps_per_second"] = (step - mark[0]) / max(time.monotonic() - mark[1], 1e-9)
                shown.set_postfix({name: f"{row[name]:.4g}" for name in ("loss",) if name in row}, refresh=False)
            if evaluate is not None and due.evaluate(step):
                row |= {f"evaluate/{name}": float(value) for name, value in evaluate(state).items()}
            if draw is not None and run is not None and due.evaluate(step):
                logs.show(step, draw(state))
            if row:
                logs.write(step, row)
                for hook in hooks:
                    hook(step, state, row)
            if saving and checkpoints is not None:
                if name := task.non_finite(state):
                    raise OnePaperError(f"{name} is not finite after step {step}; {_advice(checkpoints)}")
                logs.sync()
                checkpoints.save(step, functools.partial(task.save, state), {"window": window})
            if logging:
                mark = (step, time.monotonic())
        if stopping and step < options.steps and processes.any(signals.received is not None):
            saved = f"saved {checkpoints.path(step)}" if checkpoints else "nothing is saved, as there is no run folder"
            number = signals.received or signal.SIGTERM
            raise Stopped(
                f"stopped by {signal.Signals(number).name} at step {step} of {options.steps}: {saved}"
                + ("; the same command goes on from there" if checkpoints else ""),
                number,
            )
        return Fitted(state, step, step >= options.steps, logs.last, time.monotonic() - begun)


@dataclass(frozen=True)
class Cadence:
    """What is done after which step; everything is done after the last."""

    options: LoopOptions

    def _due(self, step: int, every: int) -> bool:
        return step >= self.options.steps or (every > 0 and step % every == 0)

    def log(self, step: int) -> bool:
        """A log row."""
        return self._due(step, self.options.log_every)

    def evaluate(self, step: int) -> bool:
        """An evaluation."""
        return self._due(step, self.options.evaluate_every)

    def checkpoint(self, step: int) -> bool:
        """A checkpoint."""
        return self._due(step, self.options.checkpoint_every)


def _open_checkpoints(run: Run | None, options: LoopOptions, seed: int, processes: Processes) -> Checkpoints | None:
    if run is None:
        return None
    identity = {"config": run.record.get("config"), "seed": seed}
    folder = run.folder / CHECKPOINTS_FOLDER
    checkpoints = Checkpoints(folder, identity, keep=options.keep_checkpoints, processes=processes)
    if options.resume == "restart":
        checkpoints.clear()
    return checkpoints


def _materialize(pending: Sequence[Mapping[str, Any]], step: int, checkpoints: Checkpoints | None) -> list[Row]:
    """The lazy metrics of the steps up to `step` as finite numbers (this waits for the device)."""
    rows: list[Row] = []
    for number, metrics in enumerate(pending, start=step - len(pending) + 1):
        rows.append({name: float(value) for name, value in metrics.items()})
        for name, value in rows[-1].items():
            if not math.isfinite(value):
                raise OnePaperError(f"{name} is {value} at step {number}; {_advice(checkpoints)}")
    return rows


def _advice(checkpoints: Checkpoints | None) -> str:
    advice = "try a lower lr, clip_norm or precision fp32"
    if checkpoints and (steps := checkpoints.steps()):
        return f"the last good checkpoint is {checkpoints.path(steps[-1])}; {advice}"
    return advice


def _means(window: Sequence[Row]) -> Row:
    return {name: math.fsum(row[name] for row in window) / len(window) for name in window[0]} if window else {}
