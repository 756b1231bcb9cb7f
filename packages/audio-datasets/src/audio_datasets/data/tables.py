"""CSV files of other people: columns, rows with their line numbers, and cells that are checked as they are read."""

import csv
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onepaper.config import shortened, unknown
from onepaper.errors import UsageError

_MAX_BYTES = 2 * 2**30
Row = dict[str, str]


@dataclass(frozen=True)
class CsvTable:
    """A CSV file with a header.

    Attributes:
        path: of the file.
        columns: their names, in order.
        delimiter: comma, semicolon or tab, by the header.
    """

    path: Path
    columns: tuple[str, ...]
    delimiter: str

    def require_order(self, names: Sequence[str]) -> None:
        """Raise `UsageError` unless the columns are these, in this order."""
        if self.columns != tuple(names):
            pairs = itertools.zip_longest(self.columns, names, fillvalue="nothing")
            place, (found, expected) = next((n, pair) for n, pair in enumerate(pairs, 1) if pair[0] != pair[1])
            raise UsageError(
                f"{self.path}: column {place} is {shortened(found)}, expected {expected} as in the release"
            )

    def require(self, names: Sequence[str]) -> None:
        """Raise `UsageError` unless all columns are there."""
        for name in names:
            if name not in self.columns:
                raise UsageError(f"{self.path}: {unknown('column', name, [shown[:40] for shown in self.columns[:40]])}")

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Line number and cells of each row.

        Raises:
            UsageError: another number of cells than columns, or text that is not UTF-8.
        """
        for line, cells in _lines(self.path, self.delimiter):
            if line == 1 or not any(cells):
                continue
            if len(cells) != len(self.columns):
                raise UsageError(
                    f"{self.path}, line {line} has {len(cells)} cells, expected {len(self.columns)} as in the header"
                )
            yield line, dict(zip(self.columns, cells, strict=True))

    def choice(self, row: Row, column: str, names: Mapping[str, str], line: int) -> str:
        """The value that a cell's name stands for, in any case."""
        value = row[column].strip()
        if value.lower() not in names:
            raise UsageError(f"{self.path}, line {line}: {unknown(column, value, names)}")
        return names[value.lower()]


def read_table(path: Path) -> CsvTable:
    """A CSV file by its header; rows are read later.

    Raises:
        UsageError: no such file, not UTF-8, empty, or a column that is there twice.
    """
    if not path.is_file():
        raise UsageError(f"{path} is missing; give a folder or CSV with the published layout")
    if path.stat().st_size > _MAX_BYTES:
        raise UsageError(f"{path} has {path.stat().st_size:,} bytes, expected a CSV of at most {_MAX_BYTES:,}")
    first = next((cells for _, cells in _lines(path, "\n")), [""])
    header = "".join(first)
    delimiter = max(",;\t", key=header.count)
    names = tuple(name.strip() for name in next(csv.reader([header], delimiter=delimiter), []))
    if not any(names):
        raise UsageError(f"{path} has no header; expected names of columns in the first line")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"{path} has the column {shortened(twice[0])} twice; expected each name once")
    return CsvTable(path, names, delimiter)


def _lines(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = (
                csv.reader(file, delimiter=delimiter) if delimiter != "\n" else ([line.rstrip("\r\n")] for line in file)
            )
            yield from enumerate(reader, start=1)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 (byte {error.start}); save it again as UTF-8") from None
    except csv.Error as error:
        raise UsageError(f"{path} is not a readable CSV ({error}); save it again") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); check its permissions") from None


def clip_id(cell: str, where: str) -> str:
    """The id in a cell such as `[10119]`, as A-VB writes it.

    Raises:
        UsageError: another form.
    """
    found = re.fullmatch(r"\[([\w.-]+)\]", cell.strip())
    if not found or ".." in found[1]:
        raise UsageError(
            f"{where}: the File_ID is {shortened(cell)}, expected an id in square brackets such as [10119]"
        )
    return found[1]


def number(cell: str, where: str, low: float, high: float) -> float:
    """The number in a cell, NaN for an empty one.

    Raises:
        UsageError: not a number, or outside [low, high].
    """
    if not cell:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        raise UsageError(f"{where} has {shortened(cell)}, expected a number") from None
    if not low <= value <= high:
        raise UsageError(f"{where} has {shortened(cell)}, expected a number from {low:g} to {high:g}")
    return value
