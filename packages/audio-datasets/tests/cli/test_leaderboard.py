"""The verb `leaderboard`."""

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("audio-datasets", "leaderboard", "avb-type") == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["0.586", "0.417", "0.384"]
    assert run_verb("audio-datasets", "leaderboard", "avb-types") == 2
    check_one_line_error(capsys.readouterr().err, "did you mean 'avb-type'")
