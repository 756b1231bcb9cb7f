"""Hooks of mkdocs: tested snippets become code blocks, formulas MathML, and rows of equations get the code behind them.

Nothing of this needs a script or the network.
"""

import re
import sys
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert

sys.path.insert(0, str(Path(__file__).parent))
from definitions import EQUATIONS, equation_rows, find_definition, functions_of  # noqa: E402

ROOT = Path(__file__).parent.parent

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)

_TESTED_FENCE = re.compile(r"^(\s*```python) (?:continuation|notest)\b.*$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Drop the words by which tests know a snippet (the fence would not be read as one) and add the equations' code."""
    markdown = _TESTED_FENCE.sub(r"\1", markdown)
    rows = equation_rows(markdown)
    if not rows:
        return markdown
    end = markdown.index(rows[-1], markdown.index(EQUATIONS)) + len(rows[-1])
    return f"{markdown[:end]}\n\n{_code_of(rows)}\n{markdown[end:]}"


def _code_of(rows: list[str]) -> str:
    """For each row, a block that opens: the sources of its functions, each at the first row that names it."""
    blocks, shown = ["The code of each row:\n"], set()
    for row in rows:
        place, what = (cell.strip().replace('"', "'") for cell in row.strip("|").split(" | ")[:2])
        sources = []
        for name in functions_of(row):
            found = find_definition(ROOT / "packages" / name.split(".")[0].replace("_", "-") / "src", name)
            if found and name not in shown:
                shown.add(name)
                title = f"{found.file.relative_to(ROOT).as_posix()}, line {found.statement.lineno}"
                sources.append(f'```python title="{title}"\n{found.source()}\n```')
        if sources:
            blocks.append(f'??? example "{place}: {what}"\n')
            blocks += ["\n".join(f"    {line}".rstrip() for line in source.splitlines()) + "\n" for source in sources]
    return "\n".join(blocks)


def on_page_content(html: str, **_: Any) -> str:
    """Replace what pymdownx.arithmatex marked."""

    def to_mathml(found: re.Match[str]) -> str:
        import html as entities

        return convert(entities.unescape(found.group(3)), display="block" if found.group(2) == "[" else "inline")

    return _FORMULA.sub(to_mathml, html)
