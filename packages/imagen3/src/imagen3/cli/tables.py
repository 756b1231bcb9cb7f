"""Tables as the verbs print and write them."""

from collections.abc import Mapping, Sequence

from onepaper.display.gallery import save_samples
from onepaper.paper import Invocation
from onepaper.runs import Run

from imagen3.data.tables import table_text

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
    save_samples(
        run.folder,
        {f"{title.lower().replace(' ', '-')}.csv": table_text(rows[0], rows[1:]).encode()
         for title, rows in tables.items()},
    )  # fmt: skip


def report_tables(call: Invocation, tables: Mapping[str, Rows]) -> None:
    """Print the tables, and write them into a run folder."""
    with call.open_run() as run:
        write_tables(run, tables)
        print_tables(tables)
        print(run.folder / "tables.json")
