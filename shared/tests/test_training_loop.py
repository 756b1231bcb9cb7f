"""The loop around a task of plain numbers: cadence, stops, budgets, guards, exact resume."""

import dataclasses
import math
import time

import pytest

from onepaper.checkpoints import Checkpoints
from onepaper.errors import OnePaperError, UsageError
from onepaper.runs import Run
from onepaper.training import LoopOptions, fit

from .walk import Walk, batches, losses, opened


@dataclasses.dataclass(frozen=True)
class Config:
    loop: LoopOptions


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
    assert task.reads == 25, "each metric is read once"
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
        seen.append(task.reads)
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


@pytest.mark.parametrize("wrong", [{"steps": -1}, {"log_every": 0}, {"max_minutes": -1.0}, {"resume": "no"}])
def test_options_are_validated(wrong):
    with pytest.raises(UsageError):
        LoopOptions(**{"steps": 1, **wrong})


@pytest.mark.parametrize("cut", [7, 10, 24])
def test_a_finished_run_trains_further(tmp_path, cut):
    options = LoopOptions(25, log_every=10, evaluate_every=8, checkpoint_every=10)
    whole = fit(Walk(), batches, options)

    def command(steps, resume="auto"):
        config = Config(dataclasses.replace(options, steps=steps, resume=resume, log_every=3))
        with Run.open(tmp_path, paper="p", verb="train", config=config) as run:
            return fit(task, batches, config.loop, run)

    task = Walk()
    command(cut)
    assert command(25, "require").state == whole.state
    assert task.steps == list(range(25))
    assert command(25, "restart").state == whole.state
    assert task.steps == [*range(25), *range(25)]


def test_a_checkpoint_is_required(tmp_path):
    config = Config(LoopOptions(5, resume="require"))
    with (
        pytest.raises(UsageError, match="no checkpoint to resume"),
        Run.open(tmp_path / "a" / "b", paper="p", verb="train", config=config) as run,
    ):
        fit(Walk(), batches, config.loop, run)
    assert list(tmp_path.iterdir()) == []
