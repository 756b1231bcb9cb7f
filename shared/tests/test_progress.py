"""Progress in a log file is complete lines at intervals; short work writes nothing."""

import time

import pytest

from onepaper import progress


def test_lines_in_a_log(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOG_INTERVAL_SECONDS", 0.01)
    for _ in progress.track(range(2), "outer"):
        for _ in progress.track(range(5), "counting"):
            time.sleep(0.02)
    written = capsys.readouterr().err
    assert "\r" not in written
    assert "\x1b" not in written
    written = "\n".join(line for line in written.splitlines() if "outer" not in line)
    assert len(written.splitlines()) >= 3
    assert all("counting" in line and "/5" in line for line in written.splitlines())


def test_short_work_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.track(iter([1, 2]), "quick")) == [1, 2]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("begin", [0, 500])
def test_the_first_step_of_a_training_is_no_part_of_the_estimate(
    begin: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first step takes 300 s, each other one 2 s: the first line says 2 s a step."""
    now = 0.0
    monkeypatch.setattr("tqdm.std.time", lambda: now)
    with progress.bar(begin + 1000, "training", initial=begin, unit="step") as shown:
        for step in range(20):
            now += 2.0 if step else 300.0
            shown.update()
    first = capsys.readouterr().err.splitlines()[0]
    assert f"| {begin + 11}/{begin + 1000} [00:20<32:58,  2.00s/step]" in first
