"""Rows of the paper's tables."""

import pytest

from audio_datasets.tasks.leaderboard import PAPER_ROWS, Row, leaderboard


def test_order_and_own_rows() -> None:
    found = leaderboard("avb-high", (Row("avb-high", "ours", "mean ccc", 0.55, "-", "ours"),))
    assert [row.system for row in found] == ["EIHW", "End2You", "ours", "ComParE features"]


@pytest.mark.parametrize(("task", "expected"), [("high", 0.048), ("two", 0.009), ("culture", 0.060), ("type", 0.033)])
def test_differences_of_table_7(task: str, expected: float) -> None:
    values = {row.system: row.value for row in PAPER_ROWS if row.task == f"avb-{task}" and row.table == "7"}
    assert values["End2You"] - values["ComParE features"] == pytest.approx(expected)
