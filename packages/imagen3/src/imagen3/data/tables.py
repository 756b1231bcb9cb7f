"""Tables of a user's evaluation: CSV, TSV, JSON and JSON lines as rows of text, with errors that name file and line."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from onepaper.config import shortened, unknown
from onepaper.errors import UsageError

LARGEST_BYTES = 200_000_000

Row = dict[str, str]


def read_text(path: Path) -> str:
    """A text file.

    Raises:
        UsageError: no such file, more than 200 MB, or no UTF-8.
    """
    if not path.is_file():
        raise UsageError(f"{path} is not a file; give the path of one")
    if path.stat().st_size > LARGEST_BYTES:
        raise UsageError(f"{path} has {path.stat().st_size:,} bytes, expected at most {LARGEST_BYTES:,}")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no UTF-8 text; save it again as UTF-8") from None


def table_text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """CSV text with a header."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return content.getvalue()


def read_table(path: Path, columns: Sequence[str] = ()) -> list[Row]:
    """`numbered_rows` without the lines, with any further columns."""
    return [row for _, row in numbered_rows(path, columns)]


def numbered_rows(
    path: Path, columns: Sequence[str] = (), optional: Sequence[str] | None = None
) -> Iterator[tuple[str, Row]]:
    """File and line, and the values by column, of each row of a CSV file, or of a TSV file by its ending.

    Args:
        path: of the file.
        columns: that it has to have, in any order.
        optional: further columns that it may have, and then no value of `columns` may be empty; None: any columns.

    Raises:
        UsageError: as of `read_text`, a column is missing, unknown or there twice, a row has too few or too many cells,
            an empty value, or there is no row.
    """
    text = read_text(path)
    if "\0" in text:
        raise UsageError(f"{path} holds a zero byte; save it again as text")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    empty = True
    try:
        names = next(reader, [])
        _check_header(path, names, columns, optional)
        for cells in filter(None, reader):
            where, empty = f"{path}, line {reader.line_num}", False
            if len(cells) != len(names):
                raise UsageError(f"{where}: expected {len(names)} cells, as in the first line, found {len(cells)}")
            row = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
            for name in columns if optional is not None else ():
                if not row[name]:
                    raise UsageError(f"{where}: {name} is empty")
            yield where, row
    except csv.Error as error:
        raise UsageError(f"{path}, near line {reader.line_num}: no table ({error}); save it again as CSV") from None
    if empty:
        raise UsageError(f"{path} holds no rows; expected a line of names and rows below it")


def _check_header(path: Path, names: Sequence[str], columns: Sequence[str], optional: Sequence[str] | None) -> None:
    for name in columns:
        if name not in names:
            raise UsageError(f"{path} has no column '{name}', expected {', '.join(columns)} in its first line")
    if len(set(names)) < len(names):
        raise UsageError(f"{path} has a column twice, expected each once")
    if optional is not None:
        for name in names:
            if name not in (*columns, *optional):
                raise UsageError(f"{path}: {unknown('column', name, (*columns, *optional))}")


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file with one JSON object a line.

    Raises:
        UsageError: as of `read_text`, or a line is no JSON object; the message names it.
    """
    found = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            found.append(_object(line, f"{path}, line {number}"))
    if not found:
        raise UsageError(f"{path} holds no lines; expected one JSON object a line")
    return found


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object of a file.

    Raises:
        UsageError: as of `read_text`, or no JSON object.
    """
    return _object(read_text(path), str(path))


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"{where}: no JSON; expected an object") from None
    if not isinstance(value, dict):
        raise UsageError(f"{where}: {shortened(value)}, expected a JSON object")
    return value


def text_of(row: dict[str, Any], name: str, where: str) -> str:
    """A text of a JSON object that is not empty.

    Raises:
        UsageError: it is missing, empty or no text.
    """
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{where}: {name} is {shortened(value)}, expected a text")
    return value
