"""The verb `safety`."""

import json
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, flags in (("one", "10"), ("two", "00")):
        rows = "".join(f"x,{seed},hate,0,{flag}\n" for seed, flag in enumerate(flags))
        (tmp_path / f"{name}.csv").write_text(f"prompt,seed,policy,refused,flagged\n{rows}y,0,benign,1,0\n")
    words = ("--records", str(tmp_path / "one.csv"), "--compare", str(tmp_path / "two.csv"))
    assert run_verb("imagen3", "safety", *words, "--output", str(tmp_path / "run")) == 0
    assert "benign (over-refusal)" in capsys.readouterr().out
    found = json.loads((tmp_path / "run" / "tables.json").read_text())
    assert found["Same requests"][1] == ["3", "1", "0", "1"]


def test_wrong_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("imagen3", "safety", "--records", "none.csv", "--output", str(tmp_path / "run")) == 2
    check_one_line_error(capsys.readouterr().err, "none.csv is not a file")
    assert not (tmp_path / "run").exists()
