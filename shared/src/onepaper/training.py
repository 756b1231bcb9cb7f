"""The training loop: it knows steps, time and files, and neither framework.

`fit` asks a task for `step(state, batch)` and surrounds it with progress, logs, evaluation, checkpoints, a wall-clock
budget, a guard against non-finite values, and clean stops. A stopped or killed run goes on with the same command, and
on one machine with the same bits.
"""

import contextlib
import functools
import io
import json
import math
import os
import shutil
import signal
import struct
import threading
import time
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Generic, Literal, Protocol, Self, TypeVar

from onepaper import progress
from onepaper.accelerator import Processes
from onepaper.checkpoints import Checkpoints, Tree
from onepaper.config import check_choice, check_non_negative, check_positive
from onepaper.errors import OnePaperError, UsageError
from onepaper.html.gallery import save_samples, write_gallery
from onepaper.runs import Run, write_atomic

State = TypeVar("State")
Batch = TypeVar("Batch")
Batch_contra = TypeVar("Batch_contra", contravariant=True)

CHECKPOINTS_FOLDER = "checkpoints"
METRICS_NAME = "metrics.jsonl"
TENSORBOARD_FOLDER = "tensorboard"
SAMPLES_FOLDER = "samples"

Row = dict[str, Any]


class Task(Protocol[State, Batch_contra]):
    """What is trained. The loop passes the state on and never looks inside; after `step` the old one is dead."""

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
        """Write the state into an empty folder and say what it holds; called on every process."""
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
    """updates in all, those before a resume included"""
    log_every: int = 50
    """steps between log rows; a row holds means since the last one"""
    evaluate_every: int = 0
    """steps between evaluations; 0 evaluates at the end only"""
    checkpoint_every: int = 1000
    """steps between checkpoints; 0 saves at the end and on a stop only"""
    keep_checkpoints: int = 3
    max_minutes: float = 0.0
    """stop after this wall-clock time of this command, with a checkpoint; 0 sets no limit"""
    resume: Literal["auto", "require", "restart"] = "auto"
    """auto: go on from a checkpoint if there is one; require: refuse to begin anew; restart: delete the old ones"""

    def __post_init__(self) -> None:
        check_non_negative("steps", self.steps)
        check_positive("log_every", self.log_every)
        check_non_negative("evaluate_every", self.evaluate_every)
        check_non_negative("checkpoint_every", self.checkpoint_every)
        check_positive("keep_checkpoints", self.keep_checkpoints)
        check_non_negative("max_minutes", self.max_minutes)
        check_choice("resume", self.resume, ("auto", "require", "restart"))


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
        draw: samples of a state as files by name, asked for with every evaluation of a run that has a folder. They go
            to `samples/`, with a page that shows them all, and .png, .wav and .txt files to TensorBoard.
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
        del restored  # the loop holds the only reference to the state: steps may reuse its memory
    else:
        if options.resume == "require":
            raise UsageError(f"no checkpoint to resume in {run.folder if run else 'a run without a folder'}")
        state, step, window = task.init(seed), 0, list[Row]()
    pending: list[Mapping[str, Any]] = []  # metrics not looked at yet: looking waits for the device
    due = Cadence(options)
    stopping = False

    with (
        Logs(run.folder if run and processes.is_main else None, step) as logs,
        _Signals() as signals,
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
            # Several processes must stop at the same step, so they ask one another, but not at every step.
            if processes.world == 1 or logging:
                out_of_time = 0 < options.max_minutes * 60 <= time.monotonic() - begun
                stopping = processes.any(signals.received is not None or out_of_time)
            saving = checkpoints is not None and (due.checkpoint(step) or stopping)
            if logging or saving or stopping:
                window += _look(pending, step, checkpoints)
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
    """What is due after which step; everything is due after the last."""

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


def _look(pending: Sequence[Mapping[str, Any]], step: int, checkpoints: Checkpoints | None) -> list[Row]:
    """The metrics of the steps up to `step` as numbers, all finite."""
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


class Logs:
    """`metrics.jsonl`, one row a step that has something to say, and the same numbers for TensorBoard.

    Opening drops the rows after `step`: they are of a future that the resumed run makes again. TensorBoard is told to
    forget that future as well.

    Args:
        folder: of the run; None writes nothing.
        step: that the training starts from.
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
        self._board = _Board(folder / TENSORBOARD_FOLDER, step)

    def write(self, step: int, row: Mapping[str, Any]) -> None:
        """Append one row; values that are not finite become null."""
        kept = {name: value if math.isfinite(value) else None for name, value in row.items()}
        self.last = {"step": step, **kept}
        if self._path is None:
            return
        with _told(self._path):
            self._rows.write(json.dumps(self.last) + "\n")
            self._rows.flush()
            self._board.write(step, {name: value for name, value in kept.items() if value is not None})

    def show(self, step: int, files: Mapping[str, bytes]) -> None:
        """Samples of this step: files, a page of all steps, and what TensorBoard can show."""
        if self._path is None:
            return
        folder = self._path.parent / SAMPLES_FOLDER
        save_samples(folder / f"step-{step}", files)
        write_gallery(folder, f"{self._path.parent.name}: samples")
        with _told(self._path):
            self._board.show(step, files)

    def sync(self) -> None:
        """Put the rows on disk, before a checkpoint that comes after them."""
        if self._path is not None:
            with _told(self._path):
                os.fsync(self._rows.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._path is not None:
            # What could not be written has been told by `write`; closing tries it again.
            with contextlib.suppress(OSError):
                self._rows.close()
            with contextlib.suppress(OSError):
                self._board.close()


class _Board:
    """Scalars and samples for TensorBoard, written at once: SummaryWriter's thread hangs where the disk is full."""

    def __init__(self, folder: Path, step: int) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto import event_pb2, summary_pb2

        self._summaries: Any = summary_pb2
        self._messages: Any = event_pb2  # generated code, unknown to type checkers
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # The name holds the time in seconds: the suffix keeps two starts within one second apart.
            self._writer: Any = EventsWriter(str(folder / "events"), f".{os.getpid()}.{time.monotonic_ns()}")
            # Readers drop what earlier sessions wrote from this step on.
            start = self._messages.SessionLog(status=self._messages.SessionLog.START)
            self._writer.write_event(self._messages.Event(wall_time=time.time(), step=step + 1, session_log=start))
            self._writer.flush()

    def write(self, step: int, row: Mapping[str, float]) -> None:
        from tensorboardX.summary import scalar

        for name, value in row.items():
            self._add(step, scalar(name, value))
        self._writer.flush()

    def show(self, step: int, files: Mapping[str, bytes]) -> None:
        from tensorboardX.summary import text

        for name, content in files.items():
            tag, _, kind = f"samples/{name}".rpartition(".")
            if kind == "png":
                # Of the header: width and height in eight bytes behind the signature and the first chunk's name.
                width, height = struct.unpack(">II", content[16:24])
                picture = self._summaries.Summary.Image(height=height, width=width, encoded_image_string=content)
                self._add(step, self._value(tag, image=picture))
            elif kind == "wav":
                with wave.open(io.BytesIO(content)) as sound:
                    about = {"sample_rate": sound.getframerate(), "num_channels": sound.getnchannels(),
                             "length_frames": sound.getnframes()}  # fmt: skip
                player = self._summaries.Summary.Audio(**about, encoded_audio_string=content, content_type="audio/wav")
                self._add(step, self._value(tag, audio=player))
            elif kind == "txt":
                # TensorBoard reads Markdown, in which an indented line stands as it is.
                lines = content.decode("utf-8", errors="replace").splitlines()
                self._add(step, text(tag, "\n".join(f"    {line}" for line in lines)))
        self._writer.flush()

    def _value(self, tag: str, **value: Any) -> Any:
        return self._summaries.Summary(value=[self._summaries.Summary.Value(tag=tag, **value)])

    def _add(self, step: int, summary: Any) -> None:
        self._writer.write_event(self._messages.Event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        self._writer.close()


def read_metrics(path: Path) -> list[Row]:
    """The rows of a `metrics.jsonl`; a last line that a crash cut short is left out."""
    rows: list[Row] = []
    if not path.exists():
        return rows
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            rows.append(json.loads(line))
    return rows


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        problem = error.strerror or error
        raise OnePaperError(f"cannot write {path}: {problem}; free space and run the same command") from error


class _Signals:
    """Note the first SIGTERM or SIGINT; a second one acts as if nobody listened."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python lets no other thread listen
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
