"""Questions about syntax trees: what a statement binds, imports, or says."""

import ast
from collections.abc import Iterable, Iterator


def makes_a_figure(statement: ast.stmt) -> bool:
    """Whether a function is annotated to return a figure, which shows numbers and measures none."""
    if not isinstance(statement, ast.FunctionDef) or statement.returns is None:
        return False
    return ast.unparse(statement.returns).strip("'").rpartition(".")[2] == "Figure"


def says_nothing(node: object) -> bool:
    """A docstring (any statement that is only a string) or `pass`."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return isinstance(node.value.value, str)
    return isinstance(node, ast.Pass)


def is_guard(statement: ast.stmt) -> bool:
    """`if TYPE_CHECKING:`, which never runs, and `if __name__ == "__main__":`, which no import runs."""
    if not isinstance(statement, ast.If) or statement.orelse:
        return False
    test = ast.unparse(statement.test)
    return "TYPE_CHECKING" in test or test.startswith("__name__ ==")


def is_asset_folder(node: ast.expr) -> bool:
    """An expression for a folder of the installed package: it starts from `__file__` or `importlib.resources`."""
    if isinstance(node, ast.BinOp):
        return False
    return any(
        (isinstance(part, ast.Name) and part.id == "__file__")
        or (isinstance(part, ast.Attribute) and dotted_name(part) == ["importlib", "resources", "files"])
        for part in ast.walk(node)
    )


def dotted_name(node: ast.expr) -> list[str] | None:
    """`a.b.c` as ["a", "b", "c"]; None for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else None


def statements_of(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a scope, those inside loops and branches too, not those of functions and classes in it."""
    for statement in body:
        yield statement
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for _, value in ast.iter_fields(statement):
                for item in value if isinstance(value, list) else []:
                    if isinstance(item, ast.stmt):
                        yield from statements_of([item])
                    elif isinstance(item, ast.ExceptHandler | ast.match_case):
                        yield from statements_of(item.body)


def bound_by(body: Iterable[ast.stmt]) -> set[str]:
    """The names that the statements of a scope bind in it."""
    names: set[str] = set()
    for statement in statements_of(body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
            continue
        if isinstance(statement, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0] for alias in statement.names}
            continue
        names |= names_stored(statement)
        if isinstance(statement, ast.Try):
            names |= {handler.name for handler in statement.handlers if handler.name}
    return names


def names_stored(node: ast.AST) -> set[str]:
    """Names that are assigned to below `node`, not those of functions, classes and comprehensions in it."""
    names: set[str] = set()
    waiting: list[ast.AST] = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, ast.Name) and isinstance(current.ctx, ast.Store):
            names.add(current.id)
        elif isinstance(current, ast.MatchAs | ast.MatchStar) and current.name:
            names.add(current.name)
        for child in ast.iter_child_nodes(current):
            inner = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
            if isinstance(child, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
                # An assignment expression inside a comprehension binds in the scope around.
                names |= {part.target.id for part in ast.walk(child) if isinstance(part, ast.NamedExpr)}
            elif not isinstance(child, inner | ast.stmt):
                waiting.append(child)
    return names


def global_names(body: Iterable[ast.stmt]) -> set[str]:
    """The names that a scope declares global."""
    return {name for statement in statements_of(body) if isinstance(statement, ast.Global) for name in statement.names}


def imported_names(statement: ast.stmt, module: str, is_package: bool) -> Iterator[tuple[str, tuple[str, str | None]]]:
    """Of an import: each bound name with its module and, for `from`, the attribute."""
    for part in statements_of([statement]):
        if isinstance(part, ast.Import):
            for alias in part.names:
                yield (
                    alias.asname or alias.name.split(".")[0],
                    (
                        alias.name if alias.asname else alias.name.split(".")[0],
                        None,
                    ),
                )
        elif isinstance(part, ast.ImportFrom):
            above = module.split(".")
            kept = above[: len(above) - part.level + is_package] if part.level else []
            base = ".".join([*kept, *filter(None, [part.module])])
            for alias in part.names:
                yield alias.asname or alias.name, (base, alias.name)


def lazy_exports(body: Iterable[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Names that an `__init__` makes on request: from tables `{name: module}` or `{module: [names]}` of constants."""
    for statement in body:
        for node in ast.walk(statement):
            if not isinstance(node, ast.Dict):
                continue
            for key, value in zip(node.keys, node.values, strict=True):
                if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                    continue
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield key.value, value.value
                elif isinstance(value, ast.List | ast.Tuple):
                    names = [item.value for item in value.elts if isinstance(item, ast.Constant)]
                    yield from ((str(name), key.value) for name in names)
