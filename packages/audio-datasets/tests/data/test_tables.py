"""CSV files of other people."""

import math
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import OnePaperError, UsageError

from audio_datasets.data.tables import clip_id, number, read_table


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"\ufeffa{delimiter}b\n1{delimiter}2\n\n", encoding="utf-8")
    table = read_table(path)
    assert list(table.rows()) == [(2, {"a": "1", "b": "2"})]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "has no header"),
        (b"a,a\n", "the column 'a' twice"),
        (b"a,b\n1\n", "line 2 has 1 cells, expected 2"),
        (b"a,b\n\xff,2\n", "not UTF-8"),
    ],
)
def test_wrong_files(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=expected):
        list(read_table(path).rows())
    with pytest.raises(UsageError, match="is missing"):
        read_table(tmp_path / "b.csv")


def test_cells() -> None:
    assert clip_id(" [10119] ", "x") == "10119"
    for cell in ("10119", "[../x]", "[]", "[a/b]", "[..]"):
        with pytest.raises(UsageError, match="in square brackets"):
            clip_id(cell, "x")
    assert number("0.5", "x", 0, 1) == 0.5
    assert math.isnan(number("", "x", 0, 1))
    for cell in ("1.5", "nan", "-0.1", "inf", "one"):
        with pytest.raises(UsageError, match="expected a number"):
            number(cell, "x", 0, 1)


def test_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Valence,Arousal\n")
    with pytest.raises(UsageError, match="did you mean 'Arousal'"):
        read_table(tmp_path / "a.csv").require(("Arousl",))


def test_damaged_files_are_one_line_errors(tmp_path: Path) -> None:
    content = b"File_ID,Split,Valence\n" + b"".join(b"[%d],Train,0.5\n" % row for row in range(30))
    generator = np.random.default_rng(0)
    path = tmp_path / "a.csv"
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(int(generator.integers(1, 5))):
            damaged[int(generator.integers(len(damaged)))] = int(generator.integers(256))
        path.write_bytes(damaged)
        try:
            rows = list(read_table(path).rows())
            assert len(rows) <= 40
        except OnePaperError as error:
            message = str(error)
        else:
            message = ""
        assert "\n" not in message


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("a\n")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError, match=r"a.csv cannot be read \(Permission denied\)"):
        read_table(tmp_path / "a.csv")
