"""Where the functions of a page's table of equations are defined; read from the sources, without importing them."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

EQUATIONS = "## Equations and functions"


class Definition(NamedTuple):
    """A statement that binds a name, and its file."""

    file: Path
    statement: ast.stmt

    def source(self) -> str:
        """The text of the statement with its decorators, not indented."""
        first = min([self.statement.lineno, *(item.lineno for item in getattr(self.statement, "decorator_list", ()))])
        lines = self.file.read_text(encoding="utf-8").splitlines()[first - 1 : self.statement.end_lineno]
        return "\n".join(line[self.statement.col_offset :] for line in lines)


def equation_rows(page: str) -> list[str]:
    """The rows of the table below the heading; empty without one."""
    section = re.split(r"\n## ", page.partition(EQUATIONS)[2])[0]
    return [line for line in section.splitlines() if line.startswith("|")][2:]


def functions_of(row: str) -> list[str]:
    """The dotted names in the last cell of a row."""
    return re.findall(r"`([\w.]+)`", row.rstrip("|").rpartition("|")[2])


def find_definition(source: Path, dotted: str) -> Definition | None:
    """Where a file below `source` binds `package.module.name` or `package.module.Class.name`."""
    parts = dotted.split(".")
    for count in range(len(parts) - 1, 0, -1):
        file = source.joinpath(*parts[:count]).with_suffix(".py")
        if file.is_file():
            body: list[ast.stmt] = ast.parse(file.read_text(encoding="utf-8")).body
            found = None
            for name in parts[count:]:
                found = next((node for node in reversed(body) if name in bound_names(node)), None)
                if found is None:
                    return None
                body = getattr(found, "body", [])
            return Definition(file, found) if found else None
    return None


def bound_names(node: ast.stmt) -> set[str]:
    """What a definition or an assignment binds."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}
