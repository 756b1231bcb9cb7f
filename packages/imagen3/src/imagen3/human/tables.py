"""Tables of people, as CSV files, with messages that name the line."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path

from onepaper.config import unknown
from onepaper.errors import UsageError

LARGEST_FILE = 2**30


def table_text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """CSV text with a header."""
    content = StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return content.getvalue()


def read_table(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """The lines of a CSV file as `(file and line, values by column)`; columns may be in any order.

    Raises:
        UsageError: no file, a large one, no UTF-8 text, no CSV, other columns, an empty value in a needed column, or
            no lines.
    """
    if not path.is_file():
        raise UsageError(f"{path} is not a file; give a table as CSV with the columns {', '.join(needed)}")
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise UsageError(f"{path} has {size:,} bytes, expected at most {LARGEST_FILE:,}; divide it")
    line = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            for name in header:
                if name not in (*needed, *optional):
                    raise UsageError(f"{path}: {unknown('column', name, (*needed, *optional))}")
            if len(set(header)) < len(header):
                raise UsageError(f"{path} has a column twice, expected each once")
            if missing := [name for name in needed if name not in header]:
                raise UsageError(f"{path} lacks the columns {', '.join(missing)}; expected {', '.join(needed)}")
            for row in filter(None, reader):
                line = reader.line_num
                if len(row) != len(header):
                    raise UsageError(f"{path}, line {line} has {len(row)} values, expected {len(header)}")
                values = dict(zip(header, row, strict=True))
                if empty := [name for name in needed if not values[name].strip()]:
                    raise UsageError(f"{path}, line {line}: {empty[0]} is empty")
                yield f"{path}, line {line}", values
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no UTF-8 text; save it again as UTF-8") from None
    except csv.Error as error:
        raise UsageError(f"{path} is no readable CSV ({error}); save it again with commas and quotes") from None
    if not line:
        raise UsageError(f"{path} has no lines below its header, expected at least one")
