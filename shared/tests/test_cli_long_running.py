"""A verb that runs until it is stopped: it ends what it began, leaves no folder, and exits with 128 + signal."""

import signal
import subprocess
import sys

import pytest

from onepaper.cli.long_running import StopRequest, stop_on_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(paper, number):
    command = [sys.executable, "-m", "fake_paper_package", "serve"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=paper / "site", stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (out, err) == ("closed\n", f"onepaper: stopped by {number.name}\n")
    assert process.returncode == 128 + number
    assert not (paper / "site" / "runs").exists()


def test_help_says_so(paper, command):
    status, out, _ = command("fake-paper", "serve", "--help")
    assert status == 0
    assert "runs until it is stopped by Ctrl-C or SIGTERM" in " ".join(out.replace("│", " ").split())
    assert "runs until" not in command("fake-paper", "sample", "--help")[1]


def test_a_second_signal_acts_as_before():
    outside = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it
    with pytest.raises(KeyboardInterrupt) as second, stop_on_signals():
        try:
            signal.raise_signal(signal.SIGTERM)
        except StopRequest:
            signal.raise_signal(signal.SIGINT)
    assert not isinstance(second.value, StopRequest)
    assert signal.signal(signal.SIGINT, outside) is signal.default_int_handler
