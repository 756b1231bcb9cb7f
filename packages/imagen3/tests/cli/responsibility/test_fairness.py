"""The verb `fairness`."""

import json
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb

CSV = "prompt,gender,tone,age35\na,feminine,2,20\na,masculine,9,60\nb,feminine,3,\nb,feminine,1,40\n"


def test_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text(CSV)
    words = ("--labels", str(tmp_path / "one.csv"), "--compare", str(tmp_path / "two.csv"))
    assert run_verb("imagen3", "fairness", *words, "--output", str(tmp_path / "run")) == 0
    printed = capsys.readouterr().out
    assert "75.00%" in printed
    assert "2 to 2, median 2" in printed
    assert set(json.loads((tmp_path / "run" / "tables.json").read_text())) == {"Fairness", "Homogeneity"}
    assert run_verb("imagen3", "fairness", *words, "--professions", "--output", str(tmp_path / "other")) == 0
    assert "under 35 among feminine" in capsys.readouterr().out


def test_wrong_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("prompt,gender\na,f\n")
    for name, expected in (("a.csv", "gender is 'f'"), ("b.csv", "b.csv is not a file")):
        words = ("--labels", str(tmp_path / name), "--output", str(tmp_path / "run"))
        assert run_verb("imagen3", "fairness", *words) == 2
        check_one_line_error(capsys.readouterr().err, expected)
        assert not (tmp_path / "run").exists()
