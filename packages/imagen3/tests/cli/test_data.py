"""The verb `data`."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb
from PIL import Image

from imagen3.data.emoji import emoji_pictures


def test_filter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for number in range(3):
        Image.fromarray(emoji_pictures()[200 * number]).save(given / f"{number}.png")
        (given / f"{number}.txt").write_text("call (555) 123-4567" if number == 1 else "a picture")
    words = ("data", "filter", "--limits.folder", str(given), "--output", str(tmp_path / "run"))
    assert run_verb("imagen3", *words) == 0
    printed = capsys.readouterr().out
    assert "1  privacy/phone" in printed
    assert "2  kept" in printed
    assert {file.name for file in (tmp_path / "run" / "kept").iterdir()} == {
        "00000000.png", "00000000.txt", "00000001.png", "00000001.txt", "manifest.jsonl",
    }  # fmt: skip


def test_wrong_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        (("--limits.folder", str(tmp_path / "nothing")), "holds no images"),
        (("--limits.similar-exponent", "2"), "similar_exponent is 2"),
        (("--limits.unsafe-words", "missing.txt", "--limits.folder", str(tmp_path)), ""),
    ):
        assert run_verb("imagen3", "data", "filter", *words, "--output", str(tmp_path / "run")) == 2
        check_one_line_error(capsys.readouterr().err, expected)
