"""Tables are in columns, and in files."""

import csv
import json
from pathlib import Path

import pytest
from onepaper.runs import Run

from imagen3.cli.tables import print_tables, write_tables


def test_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = {"Same requests": [("a", "b"), ("longer", "1")]}
    print_tables(tables)
    assert capsys.readouterr().out == "Same requests\n  a       b\n  longer  1\n"
    with Run.open(tmp_path / "run", paper="imagen3", verb="safety", config=None, options=None) as run:
        write_tables(run, tables)
    assert json.loads((tmp_path / "run" / "tables.json").read_text()) == {
        "Same requests": [["a", "b"], ["longer", "1"]]
    }
    with (tmp_path / "run" / "same-requests.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["a", "b"], ["longer", "1"]]
