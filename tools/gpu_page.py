"""The page docs/gpu-checks.md, and tables on a terminal."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gpu_items import Item

PAGE = "docs/gpu-checks.md"
NOT_RUN = "not run yet"
_ROW = re.compile(r"^\| `([^`]+)` \|.*\| (.*) \|$", re.MULTILINE)

_HEAD = """# GPU checks

What is written for a GPU but was only run on a CPU so far, and trainings that want one. The tables are rendered from
`packages/NAME/gpu_plan.toml` and `shared/gpu_plan.toml`. On a machine with a GPU, PyTorch and JAX a checkout is enough:
neither a network nor nox is needed.

```text
python tools/gpu_plan.py --check                      # what is missing, and how to bring it as wheels
python tools/gpu_plan.py --dry-run --minutes 15       # the plan within a budget
python tools/gpu_plan.py --minutes 15 --output OUT    # trainings, then checks, most worth per minute first
```

`--only NAME ...` and `--kind check` select, `--jobs 4` runs several items at a time, `--wheels FOLDER` adds packages.
OUT has a folder for each item, with its output, its weights and `result.json`, and a new version of this page. Where
packages can be installed, `nox -s gpu -- --minutes 15 --output OUT` does the same. Minutes are estimates for one H100
until an item has run. `nox -s gpu -- --smoke --minutes 60` runs the smallest form of every command on a CPU.
"""


def render_page(items: Sequence[Item], outcomes: Mapping[str, str]) -> str:
    """The page; an item without an outcome was not run yet."""
    parts = [_HEAD]
    for kind, title in (("training", "Trainings"), ("check", "Checks")):
        lines = [
            f"## {title}",
            "",
            "| item | what | minutes | expected | outcome |",
            "|---|---|---|---|---|",
        ]
        for item in items:
            if item.kind == kind:
                expected = "; ".join(one.describe() for one in item.expect) or "it ends without an error"
                devices = f" ({item.devices} GPUs)" if item.devices > 1 else ""
                cells = [f"`{item.name}`", item.what + devices, f"{item.minutes:g}", expected]
                lines.append("| " + " | ".join([*map(_cell, cells), _cell(outcomes.get(item.name, NOT_RUN))]) + " |")
        parts.append("\n".join(lines) + "\n")
    parts.append("## Commands\n\nOUTPUT is the folder of the item.\n")
    for item in items:
        commands = "\n".join(command.strip() for command in item.filled("OUTPUT"))
        parts.append(f"`{item.name}`:\n\n```text\n{commands}\n```\n")
    return "\n".join(parts)


def read_outcomes(page: Path) -> dict[str, str]:
    """The last cell of every row, by item."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    return {name: outcome for name, outcome in _ROW.findall(text) if outcome != NOT_RUN}


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows with aligned columns for a terminal."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)][:-1]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=False)] + [row[-1]] for row in (head, *rows)]
    return "\n".join("  ".join(line) for line in lines)
