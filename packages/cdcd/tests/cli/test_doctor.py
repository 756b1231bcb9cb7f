"""The verb `doctor` prints a table and refuses a wrong range."""

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("doctor", "--embed-dim", "16", "64", "--vocab-size", "28", "1024")
    assert run_verb("cdcd", *words) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[:2] for row in rows] == [["16", "28"], ["64", "28"], ["16", "1024"], ["64", "1024"]]
    assert all(float(row[2]) < float(row[3]) < float(row[4]) for row in rows)


def test_wrong_range(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("cdcd", "doctor", "--embed-dim", "16", "--vocab-size", "28", "--t-min", "20") == 2
    check_one_line_error(capsys.readouterr().err, "d=16, V=28: t_min 20 is too high")
