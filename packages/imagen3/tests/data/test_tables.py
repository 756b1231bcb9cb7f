"""Tables of a user: rows by name, and errors that name file and line."""

from pathlib import Path

import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from imagen3.data import tables


def test_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('\ufeffname,text\n a ,"x, ""y"""\r\n'.encode())
    assert tables.read_table(path, ["name"]) == [{"name": "a", "text": 'x, "y"'}]
    (tmp_path / "a.tsv").write_text("name\ttext\na\tx, y\n")
    assert tables.read_table(tmp_path / "a.tsv") == [{"name": "a", "text": "x, y"}]
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n{"a": 2}\n')
    assert tables.read_json_lines(tmp_path / "a.jsonl") == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name\n", "holds no rows"),
        (b"name\na,b\n", "line 2: expected 1 cells"),
        (b"name,other\na\n", "line 2: expected 2 cells"),
        (b"names\na\n", "no column 'name', expected name in"),
        (b"name\n\xff\n", "no UTF-8"),
        (b'name\n"a"b"\n', "near line 2: no table"),
        (b"name\na\0\n", "zero byte"),
    ],
)
def test_wrong_tables(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        tables.read_table(tmp_path / "a.csv", ["name"])


def read(path: Path) -> list[tuple[str, dict[str, str]]]:
    return list(tables.numbered_rows(path, ("a", "b"), ("c",)))


def test_written_tables_are_read_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("\ufeff" + tables.table_text(("b", "a"), [("1", 'odd "value",\nü'), ("2", "x")]))
    found = read(path)
    assert [values for _, values in found] == [{"b": "1", "a": 'odd "value",\nü'}, {"b": "2", "a": "x"}]
    assert found[1][0] == f"{path}, line 4"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "has no column 'a', expected a, b"),
        (b"a,b,a\n1,2,3\n", "has a column twice"),
        (b"a,b,winner\n", "unknown column 'winner'"),
        (b"a,b\n\n", "holds no rows"),
        (b"a,b\n1\n", "line 2: expected 2 cells, as in the first line, found 1"),
        (b"a,b,c\n1, ,3\n", "line 2: b is empty"),
        (b"\xff\xfe\x00", "no UTF-8 text"),
        (b'a,"b"x\n', "no table"),
        (b"a,b\n" + b"1" * 200_000 + b",2\n", "no table"),
    ],
)
def test_wrong_columns(content: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=expected):
        read(path)


def test_wrong_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    for content, message in ((b'{"a": 1}\n[1]\n', "line 2"), (b"", "holds no lines"), (b"{", "line 1: no JSON")):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=message):
            tables.read_json_lines(path)
    with pytest.raises(UsageError, match="text is 3, expected a text"):
        tables.text_of({"text": 3}, "text", "here")
    with pytest.raises(UsageError, match="is not a file"):
        tables.read_json_object(tmp_path / "missing.json")
    monkeypatch.setattr(tables, "LARGEST_BYTES", 0)
    path.write_bytes(b"{}")
    with pytest.raises(UsageError, match="2 bytes, expected at most 0"):
        tables.read_json_object(path)


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files(tmp_path: Path, count: int) -> None:
    fuzz(tables.read_table, tmp_path / "a.csv", [b'a,b\n1,"x"\n2,y\n'], count)
    fuzz(tables.read_json_lines, tmp_path / "a.jsonl", [b'{"a": 1}\n{"b": [2]}\n'], count)
