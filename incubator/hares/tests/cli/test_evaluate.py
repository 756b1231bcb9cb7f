"""The verb `evaluate` prints a table by domain."""

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--embeddings", "statistics", "--tasks", "mini_sounds", "mini_vowels")
    assert run_verb("hares", "evaluate", *words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:5]] == [
        "statistics:",
        "environment",
        "mini_sounds",
        "speech",
        "mini_vowels",
    ]
    assert "no HARES score" in lines[-1]


def test_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("hares", "evaluate", "--embeddings", "nowhere") == 2
    check_one_line_error(capsys.readouterr().err, "unknown weights 'nowhere'")
