"""The verb `scenes`. That its files can be evaluated is in `test_evaluate`."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("imagen3", "scenes", "--count", "7", "--long", "--output", str(tmp_path / "run")) == 0
    assert "7 scenes" in capsys.readouterr().out
    caption = (tmp_path / "run" / "pictures" / "scene_00003_0.txt").read_text()
    assert "and nothing else on the plain ground" in caption
    assert (tmp_path / "run" / "prompts.csv").read_text().count("\n") == 8


@pytest.mark.parametrize("words", [("--count", "0"), ("--size", "16")])
def test_wrong_values(words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("imagen3", "scenes", *words, "--output", str(tmp_path / "run")) == 2
    check_one_line_error(capsys.readouterr().err, f"{words[0][2:]} is {words[1]}")
    assert not (tmp_path / "run").exists()
