"""A hash of the code that a claim rests on, so that a result knows whether it still belongs to it.

Nothing is executed: imports are followed statically, inside one root package, `import` and `from`, relative and
function-local ones too. What is hashed is the syntax tree, so comments, docstrings, formatting and line numbers do
not count, and the hash is the same under every Python version.

Of the module that holds the measuring function only what that function reaches is hashed (its helpers, constants and
imports), so that a new claim beside it leaves old results current; likewise of `__init__` modules, whose lazy exports
and version are no part of a measurement. Every other module counts whole. Code reached only by computed names
(`importlib`, `getattr`) is not seen: import what a claim needs by name.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from onepaper.errors import UsageError


def code_fingerprint(measure: str, package_folder: Path, assets: Sequence[str] = ()) -> str:
    """SHA-256 over the code reached from `measure` and over the claim's assets.

    Args:
        measure: `package.module:function`, or `package.module` for all of a module.
        package_folder: the folder of the import package `package`.
        assets: files relative to `package_folder`.

    Raises:
        UsageError: a module, function or asset does not exist, a module does not parse, or the package is another.
    """
    module, _, function = measure.partition(":")
    package = _Package(package_folder)
    if module.split(".")[0] != package.name:
        raise UsageError(f"measure '{measure}' is outside the package '{package.name}' in {package_folder}")
    digest = hashlib.sha256()
    for name, code in sorted(package.closure(module, function).items()):
        digest.update(f"module {name}\n{code}\n".encode())
    for asset in sorted(assets):
        try:
            content = (package_folder / asset).read_bytes()
        except OSError as error:
            raise UsageError(f"asset {package_folder / asset}: {error.strerror}; correct the claim") from None
        digest.update(f"asset {asset} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


class _Package:
    """The source files of one import package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self.trees: dict[str, ast.Module] = {}

    def path(self, module: str) -> Path | None:
        """The file of a module; None where the package has no such module."""
        root, *parts = module.split(".")
        if root != self.name or not all(part.isidentifier() for part in parts):
            return None
        base = self.folder.joinpath(*parts)
        for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
            if path.is_file() and (parts or path.name == "__init__.py"):
                return path
        return None

    def tree(self, module: str) -> ast.Module:
        if module not in self.trees:
            path = self.path(module)
            if path is None:
                raise UsageError(f"module {module} is not in {self.folder}; correct the claim's measure")
            try:
                tree = ast.parse(path.read_text(encoding="utf-8"))
            except (SyntaxError, ValueError) as error:
                raise UsageError(f"{path} does not parse: {error}") from None
            tree.body = [statement for statement in tree.body if not _is_type_checking(statement)]
            self.trees[module] = tree
        return self.trees[module]

    def closure(self, module: str, function: str) -> dict[str, str]:
        """Canonical code by module name, of everything reached from `function` (or from all of `module`)."""
        if function and function not in _bound_names(self.tree(module).body):
            raise UsageError(f"module {module} has no {function}; correct the claim's measure")
        # None stands for the whole module, a set for what these names reach.
        wanted: dict[str, set[str] | None] = {module: {function} if function else None}
        waiting = [module]
        while waiting:
            current = waiting.pop()
            for imported, names in self._imports(current, self._statements(current, wanted[current])):
                before = wanted.get(imported, set())
                after = None if names is None or before is None else before | names
                if imported not in wanted or after != before:
                    wanted[imported] = after
                    waiting.append(imported)
        return {
            name: "\n".join(_canonical(statement) for statement in self._statements(name, names))
            for name, names in wanted.items()
        }

    def _statements(self, module: str, names: set[str] | None) -> list[ast.stmt]:
        body = self.tree(module).body
        return body if names is None else _reached(body, names)

    def _imports(self, module: str, statements: list[ast.stmt]) -> Iterator[tuple[str, set[str] | None]]:
        """Modules of this package that `statements` import, with the names taken from `__init__` modules."""
        path = self.path(module)
        is_package = path is not None and path.name == "__init__.py"
        targets: list[tuple[str, set[str] | None]] = [(module, set())]
        for node in (node for statement in statements for node in ast.walk(statement)):
            if isinstance(node, ast.Import):
                targets += [(alias.name, None) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                parts = module.split(".")
                kept = parts[: len(parts) - node.level + is_package] if node.level else []
                base = ".".join([*kept, *filter(None, [node.module])])
                for alias in node.names:
                    submodule = f"{base}.{alias.name}"
                    names = None if alias.name == "*" else {alias.name}
                    targets.append((submodule, None) if self.path(submodule) else (base, names))
            elif is_package and isinstance(node, ast.Constant) and isinstance(node.value, str):
                # A lazy `__init__` names its modules in strings.
                relative = f"{module}.{node.value.lstrip('.')}"
                targets += [(name, None) for name in (node.value, relative) if self.path(name)]
        for target, names in targets:
            parents = [target.rsplit(".", depth)[0] for depth in range(1, target.count(".") + 1)]
            yield from ((parent, set()) for parent in parents if self.path(parent))
            found = self.path(target)
            if found is not None and target != module:
                if names is not None and found.name == "__init__.py":
                    yield target, self._lazy_names(target, names)
                else:
                    yield target, None

    def _lazy_names(self, module: str, names: set[str]) -> set[str]:
        """`names` of an `__init__`, with `__getattr__` where one of them is only made on request."""
        bound = _bound_names(self.tree(module).body)
        return names | {"__getattr__"} if names - bound else names


def _reached(body: list[ast.stmt], roots: set[str]) -> list[ast.stmt]:
    """The statements that `roots` reach by name, and those that run on import without binding a name."""
    kept = [index for index, statement in enumerate(body) if _bound(statement) is None]
    seen: set[str] = set()
    names = roots | _used(body[index] for index in kept)
    while names - seen:
        seen |= names
        kept = [i for i, statement in enumerate(body) if (bound := _bound(statement)) is None or bound & seen]
        names = _used(body[index] for index in kept)
    return [body[index] for index in kept]


def _bound(statement: ast.stmt) -> set[str] | None:
    """The names that a statement only binds; None where it may do more (a call, a branch, an item assignment)."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import):
        return {alias.asname or alias.name.split(".")[0] for alias in statement.names}
    if isinstance(statement, ast.ImportFrom):
        names = {alias.asname or alias.name for alias in statement.names}
        return None if "*" in names else names
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        leaves = [leaf for target in targets for leaf in (target.elts if isinstance(target, ast.Tuple) else [target])]
        names = {leaf.id for leaf in leaves if isinstance(leaf, ast.Name)}
        return names if len(names) == len(leaves) else None
    return None


def _is_type_checking(statement: ast.stmt) -> bool:
    """`if TYPE_CHECKING:` never runs."""
    return isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test) and not statement.orelse


def _bound_names(body: list[ast.stmt]) -> set[str]:
    return {name for statement in body for name in _bound(statement) or ()}


def _used(statements: Iterable[ast.stmt]) -> set[str]:
    nodes = (node for statement in statements for node in ast.walk(statement))
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def _canonical(node: Any) -> str:
    """A syntax tree as text: no positions, no docstrings, no empty fields (which differ between Pythons)."""
    if isinstance(node, ast.AST):
        fields = [
            f"{name}={_canonical(value)}"
            for name, value in ast.iter_fields(node)
            if name not in ("ctx", "kind", "type_comment") and value is not None and value != []
        ]
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(_canonical(item) for item in node if not _says_nothing(item))}]"
    return repr(node)


def _says_nothing(node: object) -> bool:
    """A docstring (any statement that is only a string) or `pass`."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return isinstance(node.value.value, str)
    return isinstance(node, ast.Pass)
