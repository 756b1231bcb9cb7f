"""Each tutorial as a notebook: Python blocks become cells, everything else stays text.

python tools/notebooks.py FOLDER [TUTORIAL ...]    # writes FOLDER/TUTORIAL.ipynb; without names, all of them
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

TUTORIALS = Path(__file__).parent.parent / "docs" / "tutorials"
_CODE = re.compile(r"^```python(?P<words>[^\n]*)\n(?P<code>.*?)^```$\n?", re.DOTALL | re.MULTILINE)


def notebook(markdown: str) -> dict[str, Any]:
    """A page as a notebook of format 4.5; blocks that tests leave out (`notest`) stay text."""
    cells: list[dict[str, Any]] = []

    def add(kind: str, text: str) -> None:
        if text := text.strip("\n"):
            own = {"execution_count": None, "outputs": []} if kind == "code" else {}
            source = text.splitlines(keepends=True)
            cells.append({"cell_type": kind, "id": f"cell-{len(cells)}", "metadata": {}, "source": source, **own})

    end = 0
    for found in _CODE.finditer(markdown):
        if "notest" not in found["words"]:
            add("markdown", markdown[end : found.start()])
            add("code", found["code"])
            end = found.end()
    add("markdown", markdown[end:])
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


def main() -> int:
    """Write the notebooks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("tutorials", nargs="*", metavar="TUTORIAL")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.tutorials or sorted(page.stem for page in TUTORIALS.glob("*.md")):
        page = TUTORIALS / f"{name}.md"
        if not page.is_file():
            print(f"notebooks: there is no tutorial {name} in {TUTORIALS}", file=sys.stderr)
            return 2
        target = options.folder / f"{name}.ipynb"
        target.write_text(json.dumps(notebook(page.read_text(encoding="utf-8")), indent=1) + "\n", encoding="utf-8")
        print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
