"""The verb `evaluate` prints a table by domain."""

import sys

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


def test_a_peer_that_is_not_installed_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    words = ("evaluate", "--tasks", "mini_sounds", "--embeddings")
    assert run_verb("hares", *words, "statistics", "silero-vad") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("left out: silero-vad is not installed")
    assert lines[1] == "statistics:"
    assert run_verb("hares", *words, "silero-vad") == 2
    check_one_line_error(capsys.readouterr().err, "pip install")


def test_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("hares", "evaluate", "--embeddings", "nowhere") == 2
    check_one_line_error(capsys.readouterr().err, "unknown weights 'nowhere'")
