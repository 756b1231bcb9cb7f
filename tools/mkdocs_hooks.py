"""Hooks of mkdocs: tested snippets become code blocks, formulas become MathML; a paper's page gets code and results.

The code of each row of its table of equations with the claims and the tests that show it, and what its recorded claims
show: pictures, sounds and tables. Nothing of this needs a script or the network.
"""

import html as entities
import json
import re
import sys
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
from code_of_claims import claims_by_definition, definition_at_top  # noqa: E402
from definitions import EQUATIONS, equation_rows, find_definition, functions_of  # noqa: E402
from notebooks import TUTORIALS, notebook  # noqa: E402
from release import version_of  # noqa: E402

ROOT = Path(__file__).parent.parent

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)

# Symbols of a formula in a line that may be wider than a phone.
LONG = 25
_SCROLLS = "overflow-x: auto; overflow-y: hidden"

_TESTED_FENCE = re.compile(r"^(\s*```python) (?:continuation|notest)\b.*$", re.MULTILINE)


def on_config(config: MkDocsConfig) -> None:
    """The version at the foot of every page is that of the shared package."""
    config.copyright = f"onepaper {version_of(ROOT / 'shared')}"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Pictures and sounds of the recorded results become files of the site, and so do tutorials as notebooks."""
    for page in sorted(TUTORIALS.glob("*.md")):
        content = json.dumps(notebook(page.read_text(encoding="utf-8")), indent=1)
        files.append(File.generated(config, f"tutorials/{page.stem}.ipynb", content=content))
    for path in sorted(ROOT.glob("packages/*/results/figures/*")):
        place = f"results/{path.relative_to(ROOT).parts[1]}/{path.name}"
        files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Drop the words by which tests know a snippet (the fence would not be read as one); add code and results."""
    markdown = _TESTED_FENCE.sub(r"\1", markdown)
    if rows := equation_rows(markdown):
        end = markdown.index(rows[-1], markdown.index(EQUATIONS)) + len(rows[-1])
        markdown = f"{markdown[:end]}\n\n{_code_of(rows, ROOT / 'packages' / page.file.name)}\n{markdown[end:]}"
    if page.file.src_uri.startswith("tutorials/"):
        markdown += f'\n[This page as a notebook]({page.file.name}.ipynb){{ download="" }}\n'
    if page.file.src_uri.startswith("papers/"):
        markdown += _results_of(page.file.name)
    return markdown


def _results_of(package: str) -> str:
    """What the recorded claims of a package show, in the order of their ids."""
    records = [json.loads(path.read_text()) for path in (ROOT / "packages" / package / "results").glob("*.json")]
    blocks = [
        f"\n### {record['id']}: {record['statement']}\n\n{record['verdict'].capitalize()}.\n\n{shown}"
        for record in sorted(records, key=lambda record: _number(record["id"]))
        if (shown := "".join(_artifact(package, artifact) for artifact in record.get("artifacts", ())))
    ]
    return "\n## What the claims show\n" + "".join(blocks) if blocks else ""


def _number(claim: str) -> tuple[str, int, str]:
    letters, digits, rest = re.fullmatch(r"(\D*)(\d*)(.*)", claim).groups()  # type: ignore[union-attr]
    return letters, int(digits or 0), rest


def _artifact(package: str, artifact: dict[str, Any]) -> str:
    title = f"*{artifact['title']}.*" + (f" {artifact['caption']}" if artifact["caption"] else "")
    source = f"../results/{package}/{artifact['file']}"
    if artifact["kind"] == "picture":
        pixels = "; image-rendering: pixelated" if artifact["enlarged"] else ""
        style = f'{{ width="{artifact["width"]}" style="max-width: 100%{pixels}" }}'
        return f"![{artifact['title']}]({source}){style}\n\n{title}\n\n"
    if artifact["kind"] == "sound":
        return f'<audio controls src="../{source}"></audio>\n\n{title}\n\n'
    if artifact["kind"] == "table":
        rows = [artifact["header"], ["---"] * len(artifact["header"]), *artifact["rows"]]
        cells = (" | ".join(str(cell).replace("|", "\\|").replace("<", "&lt;") for cell in row) for row in rows)
        return title + "\n\n" + "".join(f"| {line} |\n" for line in cells) + "\n"
    return ""


def _code_of(rows: list[str], package: Path) -> str:
    """For each row, a block that opens: the sources of its functions, each at the first row that names it."""
    blocks, shown = ["The code of each row, and what shows that it is right:\n"], set()
    claims = claims_by_definition(package)
    for row in rows:
        place, what = (cell.strip().replace('"', "'") for cell in row.strip("|").split(" | ")[:2])
        names = [name for name in functions_of(row) if find_definition(package / "src", name)]
        sources = [_source(package, name) for name in names if name not in shown]
        shown.update(names)
        if sources:
            text = "\n".join([*sources, "", _shown_by(names, claims, package)])
            blocks.append(f'??? example "{place}: {what}"\n')
            blocks.append("\n".join(f"    {line}".rstrip() for line in text.splitlines()) + "\n")
    return "\n".join(blocks)


def _source(package: Path, name: str) -> str:
    """The code of a function, under its file and line."""
    found = find_definition(package / "src", name)
    assert found is not None
    title = f"{found.file.relative_to(ROOT).as_posix()}, line {found.statement.lineno}"
    return f'```python title="{title}"\n{found.source()}\n```'


def _shown_by(names: list[str], claims: dict[str, list[str]], package: Path) -> str:
    """Links to the claims that rest on some functions, and the tests of their modules."""
    source = package / "src"
    found = {claim for name in names for claim in claims.get(definition_at_top(source, name), ())}
    links = [f"[{claim}](../claims.md#{package.name}-{claim})" for claim in sorted(found, key=_number)]
    files = dict.fromkeys(definition.file for name in names if (definition := find_definition(source, name)))
    inside = [file.relative_to(source).parts[1:] for file in files]
    tests = [package.joinpath("tests", *parts[:-1], f"test_{parts[-1]}") for parts in inside]
    shown = [f"`{test.relative_to(ROOT).as_posix()}`" for test in tests if test.is_file()]
    lines = [
        f"{what}: {', '.join(items)}." for what, items in (("Claims that rest on it", links), ("Tests", shown)) if items
    ]
    return " ".join(lines)


def on_page_content(html: str, **_: Any) -> str:
    """Replace what pymdownx.arithmatex marked; a formula wider than a phone scrolls by itself."""

    def to_mathml(found: re.Match[str]) -> str:
        text = entities.unescape(found.group(3))
        if found.group(2) == "[":
            return f'<div style="{_SCROLLS}">{convert(text, display="block")}</div>'
        formula = convert(text, display="inline")
        if len(entities.unescape(re.sub(r"<[^>]+>", "", formula))) < LONG:
            return formula
        return (
            f'<span style="display: inline-block; max-width: 100%; vertical-align: middle; {_SCROLLS}">{formula}</span>'
        )

    return _FORMULA.sub(to_mathml, html)
