"""The verb `prepare` names the packages, and writes nothing without them."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_packages_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("hares", "prepare") == 2
    check_one_line_error(capsys.readouterr().err, "apt-get download asterisk-core-sounds-en-g722")
    words = ("prepare", "--folder", str(tmp_path / "made"), "--debian")
    assert run_verb("hares", *words, str(tmp_path / "missing")) == 2
    check_one_line_error(capsys.readouterr().err, "is not a folder")
    assert run_verb("hares", *words, str(tmp_path)) == 2
    check_one_line_error(capsys.readouterr().err, "extract the Debian packages")
    assert not (tmp_path / "made").exists()


def test_counts_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hares.cli.prepare.prepare_prompts", lambda debian, folder: {"mini_languages": 3})
    assert run_verb("hares", "prepare", "--debian", str(tmp_path), "--folder", str(tmp_path / "made")) == 0
    assert capsys.readouterr().out.splitlines()[0] == "mini_languages: 3 clips"
