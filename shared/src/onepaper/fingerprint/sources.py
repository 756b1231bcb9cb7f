"""Modules of the paper's package and of the shared one, and what a name in them refers to."""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onepaper.errors import UsageError
from onepaper.fingerprint.syntax import bound_by, imported_names, is_guard, lazy_exports, makes_a_figure, says_nothing

SHARED = "onepaper"
FIGURE = f"{SHARED}:figure"
VALIDATOR = f"{SHARED}:validator"
UNMEASURED = f"{SHARED}:unmeasured"

MARK = (f"{SHARED}.fingerprint.marks", "unmeasured")

WITHOUT_NUMBERS = frozenset(
    (
        *("accelerator", "arms", "benchmark", "checkpoints", "claim", "claims", "config", "costs", "doc_commands"),
        *("errors", "file_bytes", "fingerprint", "gallery", "html", "logs", "paper", "plots", "progress", "report"),
        *("reproduce", "results", "runs", "signals", "state_files", "tables", "tensorboard", "testing", "weights"),
        "workers",
    )
)
"""Modules of the shared package, by the last part of their names, that read options and files, write and show."""

DEFINITIONS_WITHOUT_NUMBERS = frozenset(
    ("Logs", "Row", "_Signals", "StopSignals", "read_metrics", "embedded", "data_root", "write_sums")
)


@dataclass(frozen=True)
class Root:
    """A definition as module and name, or an entry of a dictionary that it is."""

    module: str
    name: str
    key: str | None = None


class Module:
    """The parsed source of a module: which statements bind which name, and those that bind none."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.is_package = path.name == "__init__.py"
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError) as error:
            raise UsageError(f"{path} does not parse: {error}") from None
        self.bindings: dict[str, list[ast.stmt]] = {}
        self.effects: list[ast.stmt] = []
        self.imports: dict[str, tuple[str, str | None]] = {}
        self.stars: list[str] = []
        for statement in tree.body:
            if says_nothing(statement) or is_guard(statement):
                continue
            imports = dict(imported_names(statement, self.name, self.is_package))
            if "*" in imports:
                self.stars.append(imports.pop("*")[0])
            self.imports |= imports
            names = bound_by([statement])
            for bound in names:
                self.bindings.setdefault(bound, []).append(statement)
            if not names:
                self.effects.append(statement)
        self.lazy = dict(lazy_exports(tree.body)) if self.is_package else {}


class Sources:
    """The source files of the paper's package and of the shared one."""

    def __init__(self, folders: Mapping[str, Path], unmeasured: Iterable[Root] = ()) -> None:
        self.folders = dict(folders)
        self.unmeasured = set(unmeasured)
        """Definitions that are left out: those given, and marked ones that were referred to."""
        self.modules: dict[str, Module] = {}
        # Tokens of definitions, their lines, and tokens of what modules do on import; see `tokens`.
        self.definitions: dict[Root, list[Any]] = {}
        self.encoded: dict[Root, list[Any]] = {}
        self.effects: dict[str, list[list[Any]]] = {}
        self.validators: dict[Root, bool] = {}

    def path(self, module: str) -> Path | None:
        """The file of a module; None where no package has such a module."""
        root, *parts = module.split(".")
        if root not in self.folders or not all(part.isidentifier() for part in parts):
            return None
        base = self.folders[root].joinpath(*parts)
        for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
            if path.is_file() and (parts or path.name == "__init__.py"):
                return path
        return None

    def module(self, name: str) -> Module:
        """A module by its dotted name.

        Raises:
            UsageError: there is none, or it does not parse.
        """
        if name not in self.modules:
            path = self.path(name)
            if path is None:
                folder = self.folders.get(name.split(".")[0])
                raise UsageError(f"module {name} is not in {folder}; correct the claim's measure")
            self.modules[name] = Module(name, path)
        return self.modules[name]

    def resolve(self, module: str, name: str) -> "Root | str | None":
        """What `name` means in `module`: a definition to follow, a dotted name outside, or None (a builtin)."""
        seen: set[tuple[str, str]] = set()
        while (module, name) not in seen:
            seen.add((module, name))
            held = self.module(module)
            if name in held.imports:
                target, attribute = held.imports[name]
                if attribute is None:
                    return target
                if self.path(f"{target}.{attribute}"):
                    return f"{target}.{attribute}"
                if not self.path(target):
                    return f"{target}.{attribute}"
                module, name = target, attribute
            elif name in held.bindings:
                return self._followed(Root(module, name))
            elif name in held.lazy:
                target = held.lazy[name]
                module = target if self.path(target) else f"{held.name}.{target.lstrip('.')}"
                if not self.path(module):
                    return None
            elif held.is_package and self.path(f"{module}.{name}"):
                return f"{module}.{name}"
            else:
                found = [self.resolve(star, name) for star in held.stars if self.path(star)]
                return next((meaning for meaning in found if meaning is not None), None)
        return None

    def entry(self, root: Root, key: str) -> ast.expr | None:
        """What `root[key]` is, where the definition is a table of constants: one assignment of a dictionary display.

        None for anything else, and where a part without a constant key may come later and replace the entry.
        """
        (statement, *others) = self.module(root.module).bindings[root.name]
        if others or not isinstance(statement, ast.Assign | ast.AnnAssign) or not isinstance(statement.value, ast.Dict):
            return None
        found = None
        for own, value in zip(statement.value.keys, statement.value.values, strict=True):
            if not isinstance(own, ast.Constant):
                found = None
            elif own.value == key:
                found = value
        return found

    def text(self, root: Root) -> str | None:
        """The string that a definition is, where it is one."""
        (statement, *others) = self.module(root.module).bindings[root.name]
        value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) and not others else None
        return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None

    def rule(self, name: str) -> "Root | str | None":
        """The definition of a rule class of the shared package."""
        for module in ("claims.rules", "rules", "claims"):
            if self.path(f"{SHARED}.{module}") and (found := self.resolve(f"{SHARED}.{module}", name)):
                return found
        raise UsageError(f"the shared package has no rule {name}")

    def _followed(self, root: Root) -> "Root | str":
        statements = self.module(root.module).bindings[root.name]
        if root in self.unmeasured or any(self._is_marked(statement, root.module) for statement in statements):
            self.unmeasured.add(root)
            return UNMEASURED
        if any(makes_a_figure(statement) for statement in statements):
            return FIGURE
        if self.validates(root):
            return VALIDATOR
        package, _, module = root.module.partition(".")
        if package == SHARED and (
            root.name in DEFINITIONS_WITHOUT_NUMBERS
            or module.rpartition(".")[2] in WITHOUT_NUMBERS
            or module.split(".")[0] == "cli"
        ):
            return f"{SHARED}:{root.name}"
        return root

    def _is_marked(self, statement: ast.stmt, module: str) -> bool:
        """Whether a definition has the decorator `onepaper.fingerprint.marks.unmeasured`."""
        return isinstance(statement, ast.FunctionDef | ast.ClassDef) and any(
            isinstance(mark, ast.Name) and self.module(module).imports.get(mark.id) == MARK
            for mark in statement.decorator_list
        )

    def validates(self, root: Root) -> bool:
        """Whether a definition is a function that raises an error or does nothing, so that no number depends on it."""
        if root not in self.validators:
            self.validators[root] = False  # for functions that call one another
            (function, *others) = self.module(root.module).bindings[root.name]
            self.validators[root] = (
                not others
                and isinstance(function, ast.FunctionDef)
                and function.returns is not None
                and ast.unparse(function.returns) == "None"
                and any(isinstance(node, ast.Raise) for node in ast.walk(function))
                and all(self._only_checks(statement, root.module) for statement in function.body)
            )
        return self.validators[root]

    def _only_checks(self, statement: ast.stmt, module: str) -> bool:
        """Whether a statement binds local names, collects messages in a list, raises, or calls another validator."""
        if isinstance(statement, ast.If | ast.For):
            return all(self._only_checks(inner, module) for inner in (*statement.body, *statement.orelse))
        if isinstance(statement, ast.Assign):
            return all(isinstance(target, ast.Name | ast.Tuple) for target in statement.targets)
        if isinstance(statement, ast.AnnAssign):
            return isinstance(statement.target, ast.Name)
        if isinstance(statement, ast.Return):
            return statement.value is None
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            called = statement.value.func
            if isinstance(called, ast.Attribute):
                return called.attr in ("append", "extend") and isinstance(called.value, ast.Name)
            return isinstance(called, ast.Name) and self.resolve(module, called.id) == VALIDATOR
        return isinstance(statement, ast.Raise | ast.Import | ast.ImportFrom) or says_nothing(statement)


_CACHE: dict[tuple[Any, ...], Sources] = {}


def open_sources(folders: Mapping[str, Path], unmeasured: frozenset[Root] = frozenset()) -> Sources:
    """Sources as they are now: kept while no file changes, since all claims of a paper read the same ones."""
    key = (
        unmeasured,
        *(
            (name, str(path), path.stat().st_mtime_ns, path.stat().st_size)
            for name, folder in sorted(folders.items())
            for path in sorted(folder.rglob("*.py"))
        ),
    )
    if key not in _CACHE:
        _CACHE.clear()
        _CACHE[key] = Sources(folders, unmeasured)
    return _CACHE[key]
