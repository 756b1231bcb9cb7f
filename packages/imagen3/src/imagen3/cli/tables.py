"""Tables as the verbs print and write them."""

import csv
import io
from collections.abc import Mapping, Sequence

from onepaper.display.gallery import save_samples
from onepaper.runs import Run

Rows = Sequence[Sequence[str]]


def print_tables(tables: Mapping[str, Rows]) -> None:
    """Each table below its title, in columns."""
    for title, rows in tables.items():
        print(title)
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            print("  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def write_tables(run: Run, tables: Mapping[str, Rows]) -> None:
    """All tables as `tables.json`, and each as a CSV file."""
    run.write_json("tables.json", {title: [list(row) for row in rows] for title, rows in tables.items()})
    files = {}
    for title, rows in tables.items():
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        files[f"{title.lower().replace(' ', '-')}.csv"] = text.getvalue().encode()
    save_samples(run.folder, files)
