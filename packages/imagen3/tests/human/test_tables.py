"""CSV files of people: what is read and what is refused."""

from pathlib import Path

import pytest
from onepaper.errors import UsageError

from imagen3.human import tables
from imagen3.human.tables import read_table, table_text


def read(path: Path) -> list[tuple[str, dict[str, str]]]:
    return list(read_table(path, ("a", "b"), ("c",)))


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("\ufeff" + table_text(("b", "a"), [("1", 'odd "value",\nü'), ("2", "x")]))
    found = read(path)
    assert [values for _, values in found] == [{"b": "1", "a": 'odd "value",\nü'}, {"b": "2", "a": "x"}]
    assert found[1][0] == f"{path}, line 4"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "lacks the columns a, b"),
        (b"a,b,a\n1,2,3\n", "has a column twice"),
        (b"a,winner\n", "unknown column 'winner'"),
        (b"a,b\n\n", "has no lines below its header"),
        (b"a,b\n1\n", "line 2 has 1 values, expected 2"),
        (b"a,b,c\n1, ,3\n", "line 2: b is empty"),
        (b"\xff\xfe\x00", "no UTF-8 text"),
        (b'a,"b"x\n', "no readable CSV"),
        (b"a,b\n" + b"1" * 200_000 + b",2\n", "no readable CSV"),
    ],
)
def test_wrong_files(content: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=expected):
        read(path)


def test_missing_and_large_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="is not a file"):
        read(tmp_path / "nothing.csv")
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2\n")
    monkeypatch.setattr(tables, "LARGEST_FILE", 5)
    with pytest.raises(UsageError, match="expected at most 5"):
        read(path)
