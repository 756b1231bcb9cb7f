"""Tables of a user's evaluation: CSV, TSV, JSON and JSON lines as rows of text, with errors that name file and line."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onepaper.config import shortened
from onepaper.errors import UsageError

LARGEST_BYTES = 200_000_000

Row = dict[str, str]


def read_text(path: Path) -> str:
    """A text file.

    Raises:
        UsageError: no such file, more than 200 MB, or no UTF-8.
    """
    if not path.is_file():
        raise UsageError(f"{path} is not a file; give the path of a table")
    if path.stat().st_size > LARGEST_BYTES:
        raise UsageError(f"{path} has {path.stat().st_size:,} bytes, expected at most {LARGEST_BYTES:,}")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no UTF-8 text; save it again as UTF-8") from None


def read_table(path: Path, columns: Sequence[str] = ()) -> list[Row]:
    """The rows of a CSV file, or of a TSV file by its ending, by the names in its first line.

    Args:
        path: of the file.
        columns: that it has to have; others are kept too.

    Raises:
        UsageError: as of `read_text`, a column is missing, a row has too few or too many cells, or there is none.
    """
    text = read_text(path)
    if "\0" in text:
        raise UsageError(f"{path} holds a zero byte; save it again as text")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found = []
    try:
        names = reader.fieldnames or []
        for name in columns:
            if name not in names:
                raise UsageError(f"{path} has no column '{name}', expected {', '.join(columns)} in its first line")
        for row in reader:
            if None in row or None in row.values():
                raise UsageError(f"{path}, line {reader.line_num}: expected {len(names)} cells, as in the first line")
            found.append({name: value.strip() for name, value in row.items()})
    except csv.Error as error:
        raise UsageError(f"{path}, near line {reader.line_num + 1}: no table ({error}); save it again as CSV") from None
    if not found:
        raise UsageError(f"{path} holds no rows; expected a line of names and rows below it")
    return found


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
