"""Signals stop a training after a checkpoint; a second one acts at once."""

import os
import signal
import threading

import pytest

from onepaper.training import LoopOptions, Stopped, fit

from .walk import Walk, batches, losses, opened


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_signals_save_and_report(tmp_path, number, code):
    options = LoopOptions(30, log_every=10, checkpoint_every=0)
    with opened(tmp_path / "whole") as run:
        whole = fit(Walk(), batches, options, run)

    def stopping(step):
        if step == 16:
            os.kill(os.getpid(), number)
        return batches(step)

    # Tests may run in the background or under nohup, where a shell lets some of these be ignored.
    outside = signal.signal(number, signal.SIG_DFL)
    before = signal.getsignal(number)
    with opened(tmp_path / "stopped") as run, pytest.raises(Stopped) as caught:
        fit(Walk(), stopping, options, run)
    assert signal.getsignal(number) is before
    signal.signal(number, outside)
    assert caught.value.exit_code == code
    assert f"stopped by {number.name} at step 17 of 30: saved " in str(caught.value)
    with opened(tmp_path / "stopped") as run:
        resumed = fit(Walk(), batches, options, run)
    assert resumed.state == whole.state
    assert losses(tmp_path / "whole") == losses(tmp_path / "stopped")


def test_a_closed_terminal_is_ignored_under_nohup(tmp_path):
    def closing(step):
        if step == 5:
            os.kill(os.getpid(), signal.SIGHUP)
        return batches(step)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert fit(Walk(), closing, LoopOptions(10)).step == 10
    finally:
        signal.signal(signal.SIGHUP, before)


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
