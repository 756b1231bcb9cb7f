"""Logs hold one row a step, of whole lines."""

import json
from pathlib import Path

import pytest

from onepaper.errors import OnePaperError
from onepaper.training import Logs, LoopOptions, fit, read_metrics

from .walk import Walk, batches, opened


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


def test_opening_removes_later_rows_and_incomplete_lines(tmp_path: Path) -> None:
    rows = [{"step": step, "loss": step / 2} for step in (1, 2, 3)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 4, "lo')
    assert read_metrics(tmp_path / "metrics.jsonl") == rows
    with Logs(tmp_path, step=2) as logs:
        assert logs.last == rows[1]
        logs.write(3, {"loss": float("inf"), "size": 1.0})
    assert read_metrics(tmp_path / "metrics.jsonl") == [*rows[:2], {"step": 3, "loss": None, "size": 1.0}]


def test_without_a_folder_only_the_last_row_is_kept(tmp_path: Path) -> None:
    with Logs(None, 0) as logs:
        logs.write(5, {"loss": 1.0})
        logs.show(5, {"a.txt": b""})
        logs.sync()
    assert logs.last == {"step": 5, "loss": 1.0}
    assert read_metrics(tmp_path / "no.jsonl") == []
