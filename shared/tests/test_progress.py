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


def test_the_first_step_of_a_training_is_no_part_of_the_estimate(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_INTERVAL_SECONDS", 0.01)
    with progress.bar(1002, "training", unit="step") as shown:
        for step in range(3):
            time.sleep(0.3 if step == 0 else 0.02)
            shown.update()
        rate = shown.format_dict["rate"] or 2 / shown.format_dict["elapsed"]
        assert 20 < rate < 60
        assert (shown.n, shown.total) == (3, 1002)
    assert "training" in capsys.readouterr().err
