"""The verb `gallery` writes a page."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("gallery", "--embedding", "statistics", "--queries", "2", "--neighbours", "3")
    assert run_verb("hares", *words, "--output", str(tmp_path)) == 0
    assert (tmp_path / "index.html").is_file()
    assert "of 6 neighbours have the label of their query" in capsys.readouterr().out


def test_wrong_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in ((("--queries", "0"), "queries"), (("--task", "mini_sound"), "mini_sounds")):
        assert run_verb("hares", "gallery", *words, "--output", str(tmp_path / "run")) == 2
        check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()
