"""Progress in a log is whole lines, seldom; on nothing worth telling it is silent."""

import time

import pytest

from onepaper import progress


def test_lines_in_a_log(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOG_INTERVAL_SECONDS", 0.01)
    for _ in progress.track(range(2), "outer"):
        for _ in progress.track(range(5), "counting"):
            time.sleep(0.02)
    told = capsys.readouterr().err
    assert "\r" not in told
    assert "\x1b" not in told
    told = "\n".join(line for line in told.splitlines() if "outer" not in line)
    assert len(told.splitlines()) >= 3
    assert all("counting" in line and "/5" in line for line in told.splitlines())


def test_short_work_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.track(iter([1, 2]), "quick")) == [1, 2]
    assert capsys.readouterr().err == ""
