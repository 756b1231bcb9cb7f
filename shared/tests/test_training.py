"""The loop around a task of plain numbers: cadence, logs, stops, budgets, guards, exact resume."""

import dataclasses
import io
import json
import math
import os
import signal
import threading
import time
import wave
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from onepaper.checkpoints import Checkpoints, Leaf
from onepaper.errors import OnePaperError, UsageError
from onepaper.runs import Run
from onepaper.training import LoopOptions, Stopped, fit, read_metrics


class Walk:
    """A state that is one number; each step mixes the batch in. Lazy metrics count how often they are looked at."""

    def __init__(self, nan_at=None, bad_state_at=None):
        self.nan_at, self.bad_state_at = nan_at, bad_state_at
        self.looks = 0
        self.steps = []

    def init(self, seed):
        return {"value": float(seed), "step": 0, "dead": False}

    def step(self, state, batch):
        assert not state["dead"], "the loop kept a donated state"
        state["dead"] = True
        step = state["step"]
        self.steps.append(step)
        value = math.sin(state["value"] * 1.1 + batch)
        task = self

        class Lazy:
            def __float__(self):
                task.looks += 1
                return math.nan if step + 1 == task.nan_at else value

        return {"value": value, "step": step + 1, "dead": False}, {"loss": Lazy(), "size": abs(value)}

    def non_finite(self, state):
        return "model/w" if self.bad_state_at is not None and state["step"] >= self.bad_state_at else None

    def save(self, state, folder):
        (folder / "state.json").write_text(json.dumps(state))
        return {"value": Leaf((), "float64")}

    def restore(self, folder, tree):
        return json.loads((folder / "state.json").read_text())


def batches(step):
    return step * 0.37


@dataclasses.dataclass(frozen=True)
class Config:
    width: int = 3


def opened(folder, **changes):
    return Run.open(folder, paper="walk", verb="train", config=Config(**changes), seed=0)


def losses(folder):
    """Step -> the rest of its row, timings aside."""
    rows = read_metrics(folder / "metrics.jsonl")
    steps = [row["step"] for row in rows]
    assert steps == sorted(set(steps)), "one row a step, in order"
    return {row.pop("step"): {k: v for k, v in row.items() if k != "steps_per_second"} for row in rows}


def test_cadence_means_and_lazy_metrics(tmp_path):
    task, evaluated, hooked = Walk(), [], []
    with opened(tmp_path) as run:
        done = fit(
            task,
            batches,
            LoopOptions(25, log_every=10, evaluate_every=8, checkpoint_every=10, keep_checkpoints=2),
            run,
            evaluate=lambda state: evaluated.append(state["step"]) or {"score": state["step"] / 2, "odd": math.inf},
            hooks=[lambda step, state, row: hooked.append((step, "loss" in row))],
        )
    assert (done.step, done.finished, done.state["step"]) == (25, True, 25)
    assert evaluated == [8, 16, 24, 25]
    assert hooked == [(8, False), (10, True), (16, False), (20, True), (24, False), (25, True)]
    assert task.looks == 25, "each metric is looked at once"
    rows = losses(tmp_path)
    assert list(rows) == [8, 10, 16, 20, 24, 25]
    assert rows[8] == {"evaluate/score": 4.0, "evaluate/odd": None}
    value, values = 0.0, []
    for step in range(25):
        value = math.sin(value * 1.1 + batches(step))
        values.append(value)
    assert rows[10]["loss"] == pytest.approx(sum(values[:10]) / 10, abs=1e-15)
    assert rows[25]["loss"] == pytest.approx(sum(values[20:]) / 5, abs=1e-15)
    assert done.metrics["loss"] == rows[25]["loss"]
    assert Checkpoints(tmp_path / "checkpoints", {}).steps() == [20, 25]


def test_metrics_wait_until_the_log_step():
    task = Walk()
    seen = []

    def counted(step):
        seen.append(task.looks)
        return batches(step)

    fit(task, counted, LoopOptions(20, log_every=10))
    assert seen == [0] * 10 + [10] * 10


@pytest.mark.parametrize("crash", [3, 7, 10, 13, 19])
def test_a_crash_anywhere_leaves_no_trace_in_the_logs(tmp_path, crash):
    options = LoopOptions(20, log_every=5, evaluate_every=4, checkpoint_every=3)

    def evaluate(state):
        return {"value": state["value"]}

    with opened(tmp_path / "a") as run:
        whole = fit(Walk(), batches, options, run, evaluate=evaluate)

    def crashing(step):
        if step == crash:
            raise RuntimeError("power cut")
        return batches(step)

    with opened(tmp_path / "b") as run, pytest.raises(RuntimeError):
        fit(Walk(), crashing, options, run, evaluate=evaluate)
    with (tmp_path / "b" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 18, "lo')
    task = Walk()
    with opened(tmp_path / "b") as run:
        resumed = fit(task, batches, options, run, evaluate=evaluate)
    assert task.steps[0] == (crash // 3) * 3
    assert resumed.state == whole.state
    assert losses(tmp_path / "a") == losses(tmp_path / "b")


def test_tensorboard_has_one_value_a_step_after_a_crash(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def crashing(step):
        if step == 15:
            raise RuntimeError("power cut")
        return batches(step)

    options = LoopOptions(20, log_every=2, checkpoint_every=7)
    for data in (crashing, batches):
        with opened(tmp_path) as run:
            try:
                fit(Walk(), data, options, run)
            except RuntimeError:
                time.sleep(1.1)  # tensorboard orders event files by the second in their name
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("loss")
    rows = losses(tmp_path)
    assert [event.step for event in events] == list(rows) == list(range(2, 21, 2))
    for event in events:
        assert event.value == pytest.approx(rows[event.step]["loss"], rel=1e-6)


def test_finished_run_is_not_trained_again_and_can_be_extended(tmp_path):
    with opened(tmp_path) as run:
        first = fit(Walk(), batches, LoopOptions(10, log_every=5), run)
    task = Walk()
    with opened(tmp_path) as run:
        again = fit(task, batches, LoopOptions(10, log_every=5), run)
    assert task.steps == []
    assert again.state == first.state
    assert again.metrics == first.metrics
    with opened(tmp_path) as run:
        fit(task, batches, LoopOptions(14, log_every=5), run)
    assert task.steps == [10, 11, 12, 13]


def test_resume_policies(tmp_path):
    with opened(tmp_path) as run, pytest.raises(UsageError, match="no checkpoint to resume"):
        fit(Walk(), batches, LoopOptions(10, resume="require"), run)
    task = Walk()
    for policy in ("auto", "require", "restart"):
        with opened(tmp_path) as run:
            fit(task, batches, LoopOptions(6, log_every=2, resume=policy), run)
    assert task.steps == [*range(6), *range(6)]
    assert list(losses(tmp_path)) == [2, 4, 6]
    with opened(tmp_path) as run, pytest.raises(UsageError, match="seed: 5 here, 0 there"):
        fit(task, batches, LoopOptions(10), run, seed=5)


def test_nan_stops_with_one_line_and_is_never_saved(tmp_path):
    with opened(tmp_path) as run, pytest.raises(OnePaperError) as caught:
        fit(Walk(nan_at=17), batches, LoopOptions(40, log_every=30, checkpoint_every=5), run)
    assert str(caught.value).startswith("loss is nan at step 17; the last good checkpoint is ")
    assert "\n" not in str(caught.value)
    assert Checkpoints(tmp_path / "checkpoints", {}).steps()[-1] == 15


def test_a_non_finite_state_is_never_saved(tmp_path):
    with (
        opened(tmp_path) as run,
        pytest.raises(OnePaperError, match="model/w is not finite after step 10; the last good"),
    ):
        fit(Walk(bad_state_at=8), batches, LoopOptions(40, log_every=30, checkpoint_every=5), run)
    assert Checkpoints(tmp_path / "checkpoints", {}).steps() == [5]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_save_and_tell(tmp_path, number, code):
    options = LoopOptions(30, log_every=10, checkpoint_every=0)
    with opened(tmp_path / "whole") as run:
        whole = fit(Walk(), batches, options, run)

    def stopping(step):
        if step == 16:
            os.kill(os.getpid(), number)
        return batches(step)

    before = signal.getsignal(number)
    with opened(tmp_path / "stopped") as run, pytest.raises(Stopped) as caught:
        fit(Walk(), stopping, options, run)
    assert signal.getsignal(number) is before
    assert caught.value.exit_code == code
    assert f"stopped by {number.name} at step 17 of 30: saved " in str(caught.value)
    with opened(tmp_path / "stopped") as run:
        resumed = fit(Walk(), batches, options, run)
    assert resumed.state == whole.state
    assert losses(tmp_path / "whole") == losses(tmp_path / "stopped")


def test_a_second_interrupt_acts_at_once():
    def stubborn(step):
        if step == 5:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return batches(step)

    # What Python does with the signal unless it was started in the background, where shells let it be ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(Walk(), stubborn, LoopOptions(30))
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_loop_runs_in_a_thread():
    ends = []
    thread = threading.Thread(target=lambda: ends.append(fit(Walk(), batches, LoopOptions(5)).step))
    thread.start()
    thread.join()
    assert ends == [5]


def test_wall_clock_budget_saves_and_goes_on(tmp_path):
    def slow(step):
        time.sleep(0.02)
        return batches(step)

    options = LoopOptions(40, log_every=7, checkpoint_every=0, max_minutes=0.2 / 60)
    with opened(tmp_path) as run:
        first = fit(Walk(), slow, options, run)
    assert not first.finished
    assert 0 < first.step < 40
    with opened(tmp_path) as run:
        rest = fit(Walk(), batches, dataclasses.replace(options, max_minutes=0.0), run)
    assert rest.finished
    assert rest.state == fit(Walk(), batches, options).state


def test_a_full_disk_in_the_logs_is_one_line(tmp_path, monkeypatch):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with opened(tmp_path) as run:
        real = type(tmp_path).open

        def full(self, mode="r", **options):
            return (
                open("/dev/full", mode) if self.name == "metrics.jsonl" and "a" in mode else real(self, mode, **options)
            )

        monkeypatch.setattr(type(tmp_path), "open", full)
        with pytest.raises(OnePaperError, match=r"cannot write .*metrics\.jsonl: No space left on device"):
            fit(Walk(), batches, LoopOptions(20, log_every=5), run)


@pytest.mark.parametrize("wrong", [{"steps": -1}, {"log_every": 0}, {"max_minutes": -1.0}, {"resume": "no"}])
def test_options_are_validated(wrong):
    with pytest.raises(UsageError):
        LoopOptions(**{"steps": 1, **wrong})


def test_samples_are_files_a_page_and_tensorboards(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    picture, sound = io.BytesIO(), io.BytesIO()
    Figure(figsize=(1, 2)).savefig(picture, format="png", dpi=10)
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(800))
    asked = []

    def draw(state):
        asked.append(state["step"])
        return {"a.png": picture.getvalue(), "a.wav": sound.getvalue(), "b.txt": b"# not a title", "c.mid": b"x"}

    options = LoopOptions(steps=5, log_every=5, evaluate_every=2)
    with opened(tmp_path) as run:
        fit(Walk(), batches, options, run, draw=draw)
    fit(Walk(), batches, options, draw=draw)
    assert asked == [2, 4, 5]  # a training without a folder draws nothing
    assert (tmp_path / "samples" / "step-4" / "c.mid").read_bytes() == b"x"
    assert (tmp_path / "samples" / "index.html").read_text(encoding="utf-8").count("<h2>") == 3
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(image.step, image.width, image.height) for image in events.Images("samples/a")] == [
        (2, 10, 20), (4, 10, 20), (5, 10, 20),
    ]  # fmt: skip
    (player, *_) = events.Audio("samples/a")
    assert (player.sample_rate, player.length_frames, player.content_type) == (8000, 400, "audio/wav")
    assert b"    # not a title" in events.Tensors("samples/b/text_summary")[0].tensor_proto.string_val[0]
    with opened(tmp_path) as run:
        fit(Walk(), batches, dataclasses.replace(options, steps=5, resume="restart"), run)
    assert not (tmp_path / "samples").exists()  # they were of a training that is no more
