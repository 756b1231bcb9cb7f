"""A hash of the code that a claim rests on, so that a recorded result knows whether it still belongs to it.

Nothing is executed. Starting from the function that measures a claim, every definition that the code refers to is
followed, through imports of any form, inside the paper's package and into the shared package; what a claim's rule is
made of is followed too. The hash is taken over a stream of tokens in the order in which definitions are reached.

The stream says what the code does, and not where it stands: it holds no names of modules and none of functions, classes
and constants at module level (a reference is the number of the definition that it means). Moving or renaming them
leaves the hash as it is. Neither do these count: comments, docstrings, formatting, annotations, `if TYPE_CHECKING`,
what an exception says, the headline and the figures of `Evidence`, and folders of assets (an asset counts by its
content). A changed constant, operation or order of operations does count.

Of the shared package the code that takes part in computing numbers counts: training steps, the training loop,
batches, statistics and rules. `WITHOUT_NUMBERS` lists the modules that do not, such as logs and reports. Code that is
reached only by computed names (`getattr`, `importlib`) is not seen: refer to what a claim needs by name.
"""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from onepaper.claims import Claim, Rule
from onepaper.errors import UsageError

SHARED = "onepaper"
SHARED_FOLDER = Path(__file__).parent

WITHOUT_NUMBERS = frozenset(
    (
        *(
            "accelerator",
            "checkpoints",
            "claims",
            "config",
            "errors",
            "fingerprint",
            "gallery",
            "html",
            "pages",
            "paper",
        ),
        *("progress", "report", "reproduce", "results", "runs", "tables"),
        *("jax.accelerator", "jax.state_files", "torch.accelerator", "torch.state_files"),
    )
)
"""Modules of the shared package that read options and files, write and show: no number depends on them."""

DEFINITIONS_WITHOUT_NUMBERS = frozenset(("Logs", "_Signals", "read_metrics", "embedded", "data_root", "write_sums"))


class Token(NamedTuple):
    """One token of code: an identifier of an object (attribute, parameter, local name), or anything else."""

    kind: str
    text: str
    scope: int = 0
    """Of a local name: the number of the definition that it is local to; 0 for attributes and keywords."""


@dataclass(frozen=True)
class Root:
    """Where to start: a definition, as module and name."""

    module: str
    name: str


def claim_fingerprint(claim: Claim, package_folder: Path) -> str:
    """SHA-256 over what a claim's result rests on: its measurement, its assets and the code of its rule."""
    return code_fingerprint(claim.measure, package_folder, claim.assets, rule_names(claim.rule))


def rule_names(rule: Rule) -> tuple[str, ...]:
    """The classes of a rule and of its parts."""

    def names(values: Mapping[str, Any]) -> Iterator[str]:
        yield values["rule"]
        for part in values.get("rules", ()):
            yield from names(part)

    return tuple(sorted(set(names(rule.to_dict()))))


def code_fingerprint(
    measure: str,
    package_folder: Path,
    assets: Sequence[str] = (),
    rules: Sequence[str] = (),
    shared_folder: Path = SHARED_FOLDER,
) -> str:
    """SHA-256 over the code reached from `measure` and from rule classes, and over the claim's assets.

    Args:
        measure: `package.module:function`.
        package_folder: the folder of the import package `package`.
        assets: files relative to `package_folder`.
        rules: names of rule classes of the shared package.
        shared_folder: the folder of the shared package.

    Raises:
        UsageError: a module, function or asset does not exist, a module does not parse, or the package is another.
    """
    digest = hashlib.sha256()
    for kind, text, _ in code_tokens(measure, package_folder, rules, shared_folder):
        digest.update(f"{kind} {text}\n".encode())
    for content in sorted(asset_digests(package_folder, assets)):
        digest.update(f"asset {content}\n".encode())
    return digest.hexdigest()


def asset_digests(package_folder: Path, assets: Sequence[str]) -> list[str]:
    """SHA-256 of the content of each asset.

    Raises:
        UsageError: an asset cannot be read.
    """
    digests: list[str] = []
    for asset in assets:
        try:
            digests.append(hashlib.sha256((package_folder / asset).read_bytes()).hexdigest())
        except OSError as error:
            raise UsageError(f"asset {package_folder / asset}: {error.strerror}; correct the claim") from None
    return digests


def code_tokens(
    measure: str, package_folder: Path, rules: Sequence[str] = (), shared_folder: Path = SHARED_FOLDER
) -> list[Token]:
    """The token stream behind `code_fingerprint`, without assets."""
    module, _, function = measure.partition(":")
    if module.split(".")[0] != package_folder.name:
        raise UsageError(f"measure '{measure}' is outside the package '{package_folder.name}' in {package_folder}")
    sources = _sources({package_folder.name: package_folder, SHARED: shared_folder})
    if function not in sources.module(module).bindings:
        raise UsageError(f"module {module} has no {function}; correct the claim's measure")
    # A rule reads its measurements through arguments, which no import shows.
    decisive = [*rules, "Measurement"] if rules else []
    roots = [sources.resolve(module, function), *(sources.rule(name) for name in decisive)]
    return _Stream(sources).of([root for root in roots if isinstance(root, Root)])


# ------------------------------------------------------------------------------------------------------ modules


class _Module:
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
            if _says_nothing(statement) or _is_guard(statement):
                continue
            imports = dict(_imported(statement, self.name, self.is_package))
            if "*" in imports:
                self.stars.append(imports.pop("*")[0])
            self.imports |= imports
            names = _bound_by([statement])
            for bound in names:
                self.bindings.setdefault(bound, []).append(statement)
            if not names:
                self.effects.append(statement)
        self.lazy = dict(_lazy_exports(tree.body)) if self.is_package else {}


class _Sources:
    """The source files of the paper's package and of the shared one."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.folders = dict(folders)
        self.modules: dict[str, _Module] = {}
        self.definitions: dict[Root, list[Token | Root]] = {}

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

    def module(self, name: str) -> _Module:
        if name not in self.modules:
            path = self.path(name)
            if path is None:
                folder = self.folders.get(name.split(".")[0])
                raise UsageError(f"module {name} is not in {folder}; correct the claim's measure")
            self.modules[name] = _Module(name, path)
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

    def rule(self, name: str) -> "Root | str | None":
        """The definition of a rule class of the shared package."""
        for module in ("claims.rules", "rules", "claims"):
            if self.path(f"{SHARED}.{module}") and (found := self.resolve(f"{SHARED}.{module}", name)):
                return found
        raise UsageError(f"the shared package has no rule {name}")

    def _followed(self, root: Root) -> "Root | str":
        package, _, module = root.module.partition(".")
        if package == SHARED and (
            root.name in DEFINITIONS_WITHOUT_NUMBERS or module in WITHOUT_NUMBERS or module.split(".")[0] == "cli"
        ):
            return f"{SHARED}:{root.name}"
        return root

    def tokens(self, root: Root) -> list[Token | Root]:
        """The tokens of a definition; a definition that it refers to stands as its `Root`."""
        if root not in self.definitions:
            self.definitions[root] = _Emitter(self, root).all()
        return self.definitions[root]


_CACHE: dict[tuple[Any, ...], _Sources] = {}


def _sources(folders: Mapping[str, Path]) -> _Sources:
    """Sources as they are now: kept while no file changes, since all claims of a paper read the same ones."""
    key = tuple(
        (name, str(path), path.stat().st_mtime_ns, path.stat().st_size)
        for name, folder in sorted(folders.items())
        for path in sorted(folder.rglob("*.py"))
    )
    if key not in _CACHE:
        _CACHE.clear()
        _CACHE[key] = _Sources(folders)
    return _CACHE[key]


# ------------------------------------------------------------------------------------------------------- tokens


class _Stream:
    """Definitions one after the other, each numbered when it is first referred to."""

    def __init__(self, sources: _Sources) -> None:
        self.sources = sources

    def of(self, roots: Sequence[Root]) -> list[Token]:
        numbers: dict[Root, int] = {}
        waiting: list[Root] = []

        def number(root: Root) -> int:
            if root not in numbers:
                numbers[root] = len(numbers) + 1
                waiting.append(root)
            return numbers[root]

        found = [Token("root", str(number(root))) for root in roots]
        done = 0
        while done < len(waiting):
            root = waiting[done]
            done += 1
            found.append(Token("definition", str(number(root))))
            for token in self.sources.tokens(root):
                if isinstance(token, Root):
                    found.append(Token("refers to", str(number(token))))
                else:
                    found.append(token._replace(scope=number(root) if token.kind == "local" else 0))
        # What a module of the paper does on import, such as setting an option of a library.
        package = next(iter(set(self.sources.folders) - {SHARED}), SHARED)
        modules = {
            ".".join(parts[:depth])
            for parts in (root.module.split(".") for root in waiting)
            if parts[0] == package
            for depth in range(1, len(parts) + 1)
        }
        effects = [
            [token if isinstance(token, Token) else Token("refers to", token.name) for token in tokens]
            for module in modules
            for tokens in _Emitter(self.sources, Root(module, "")).effects()
        ]
        for tokens in sorted(effects):
            found += [Token("on import", ""), *tokens]
        return found


@dataclass(frozen=True)
class _Scope:
    """Names of a function, comprehension or class body; a name from an import keeps what it means."""

    names: frozenset[str]
    is_class: bool = False
    imports: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)


class _Emitter:
    """The tokens of one definition."""

    def __init__(self, sources: _Sources, root: Root) -> None:
        self.sources, self.root = sources, root
        self.package = root.module.split(".")[0]
        self.found: list[Token | Root] = []
        self.scopes: tuple[_Scope, ...] = ()

    def all(self) -> list[Token | Root]:
        for statement in self.sources.module(self.root.module).bindings[self.root.name]:
            self.visit(statement)
        return self.found

    def effects(self) -> Iterator[list[Token | Root]]:
        for statement in self.sources.module(self.root.module).effects:
            self.found = []
            self.visit(statement)
            yield self.found

    def put(self, kind: str, text: object = "") -> None:
        self.found.append(Token(kind, str(text)))

    # -- names

    def meaning(self, name: str) -> "Root | str | bool | None":
        """What a bare name refers to; True for a local one."""
        for depth, scope in enumerate(reversed(self.scopes)):
            if name in scope.names and not (scope.is_class and depth):
                if name not in scope.imports:
                    return True
                target, attribute = scope.imports[name]
                return self.member(target, attribute) if attribute else target
        return self.sources.resolve(self.root.module, name)

    def member(self, module: str, name: str) -> "Root | str":
        """What `module.name` refers to, where `module` is a dotted name."""
        if self.sources.path(f"{module}.{name}"):
            return f"{module}.{name}"
        if self.sources.path(module):
            found = self.sources.resolve(module, name)
            return found if found is not None else f"{module}.{name}"
        return f"{module}.{name}"

    def refer(self, meaning: "Root | str | bool | None", name: str) -> None:
        if isinstance(meaning, Root):
            if meaning == self.root:
                self.put("self")
            else:
                self.found.append(meaning)
        elif meaning is True:
            self.put("local", name)
        elif isinstance(meaning, str):
            package, _, shared = meaning.partition(":")
            if shared:
                self.put("name", shared)
            elif self.sources.path(package):
                self.put("module")  # a module of the paper or the shared package as an object
            else:
                self.put("outside", meaning)
        else:
            self.put("builtin", name)

    # -- nodes

    def visit(self, node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                if not (isinstance(item, ast.stmt) and (_says_nothing(item) or _is_guard(item))):
                    self.visit(item)
            self.put("end")
        elif isinstance(node, ast.AST):
            method = getattr(self, f"visit_{type(node).__name__}", None)
            if method is None:
                self.generic(node)
            else:
                method(node)
        elif node is not None:
            self.put("value", repr(node))

    def generic(self, node: ast.AST) -> None:
        self.put("node", type(node).__name__)
        for name, value in ast.iter_fields(node):
            # Empty fields differ between versions of Python.
            if name not in ("ctx", "kind", "type_comment", "type_params") and value is not None and value != []:
                self.put("field", name)
                self.visit(value)

    def visit_Import(self, node: ast.Import) -> None:
        """Imports count where what they bring is used."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """See `visit_Import`."""

    def visit_Name(self, node: ast.Name) -> None:
        at_module_level = not self.scopes and isinstance(node.ctx, ast.Store | ast.Del)
        if at_module_level:
            self.put("self" if node.id == self.root.name else "another")
        else:
            self.refer(self.meaning(node.id), node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        path = _dotted(node)
        if path is None:
            if _is_asset_folder(node):
                self.put("asset folder")
                return
            self.put("attribute")
            self.visit(node.value)
            self.put("name", node.attr)
            return
        meaning = self.meaning(path[0])
        used = 1
        while isinstance(meaning, str) and ":" not in meaning and used < len(path):
            meaning = self.member(meaning, path[used])
            used += 1
        self.refer(meaning, path[0])
        for name in path[used:]:
            self.put("attribute")
            self.put("name", name)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and re.fullmatch(rf"{self.package}(\.\w+)+(:\w+)?", node.value):
            module, _, name = node.value.partition(":")
            if self.sources.path(module):
                self.refer(self.member(module, name) if name else module, name)
                return
        if isinstance(node.value, str) and node.value in self.sources.folders:
            self.put("module")
            return
        self.put("constant", repr(node.value))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self.put("node", "JoinedStr")
        # In the shared package, which knows no measurement, the words of a formatted string are a message.
        self.visit([part for part in node.values if self.package != SHARED or not isinstance(part, ast.Constant)])

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Div):
            parts: list[ast.expr] = []
            left: ast.expr = node
            while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Div):
                parts.append(left.right)
                left = left.left
            if _is_asset_folder(left):
                self.put("asset folder")
                for part in reversed(parts):
                    if not isinstance(part, ast.Constant):
                        self.visit(part)
                return
        self.generic(node)

    def visit_Call(self, node: ast.Call) -> None:
        if _is_asset_folder(node):
            self.put("asset folder")
            return
        path = _dotted(node.func)
        if path is not None and path[-1] == "Evidence" and not any(isinstance(arg, ast.Starred) for arg in node.args):
            measured = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "measured")]
            self.put("evidence")
            self.visit(measured)
            return
        self.generic(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        self.put("keyword")
        if node.arg is not None:
            self.put("name", node.arg)
        self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self.put("node", "Raise")
        if node.exc is not None:
            self.visit(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)

    def visit_Assert(self, node: ast.Assert) -> None:
        self.put("node", "Assert")
        self.visit(node.test)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is None and not (self.scopes and self.scopes[-1].is_class):
            return
        self.put("node", "Assign" if "ClassVar" not in ast.unparse(node.annotation) else "ClassVar")
        self.visit(node.target)
        self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.put("node", "Assign")
        for target in node.targets:
            self.visit(target)
        self.visit(node.value)

    def visit_FunctionDef(self, node: "ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda") -> None:
        is_lambda = isinstance(node, ast.Lambda)
        self.put("node", type(node).__name__)
        if not is_lambda:
            if self.scopes:
                # A method is an attribute of its class, a function inside a function is a local name.
                self.put("name" if self.scopes[-1].is_class else "local", node.name)
            self.visit(node.decorator_list)
        arguments = node.args
        self.visit([*arguments.defaults, *arguments.kw_defaults])
        body: list[ast.stmt] = [ast.Expr(node.body)] if is_lambda else node.body
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        variable = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
        names = _bound_by(body) | {argument.arg for argument in (*every, *variable)}
        imports = {
            name: meaning
            for statement in _statements(body)
            for name, meaning in _imported(
                statement, self.root.module, self.sources.module(self.root.module).is_package
            )
        }
        self.put("arguments", f"{len(arguments.posonlyargs)} {len(arguments.args)} {len(arguments.kwonlyargs)}")
        self.put("variable", f"{arguments.vararg is not None} {arguments.kwarg is not None}")
        self.enter(_Scope(frozenset(names - _global_names(body)), imports=imports))
        for argument in (*every, *variable):
            self.put("local", argument.arg)
        self.visit(body)
        self.leave()

    visit_AsyncFunctionDef = visit_FunctionDef
    visit_Lambda = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.put("node", "ClassDef")
        if self.scopes:
            self.put("local", node.name)
        self.visit(node.decorator_list)
        self.visit(node.bases)
        self.visit(node.keywords)
        self.enter(_Scope(frozenset(_bound_by(node.body)), is_class=True))
        for statement in node.body:
            if not _says_nothing(statement):
                self.visit_member(statement)
        self.leave()
        self.put("end")

    def visit_member(self, statement: ast.stmt) -> None:
        """A statement of a class body: what it binds is an attribute."""
        before = len(self.found)
        self.visit(statement)
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = _bound_by([statement])
            self.found[before:] = [
                Token("name", token.text)
                if isinstance(token, Token) and token.kind == "local" and token.text in targets
                else token
                for token in self.found[before:]
            ]

    def comprehension(self, node: Any) -> None:
        self.put("node", type(node).__name__)
        names: set[str] = set()
        for generator in node.generators:
            names |= _names_stored(generator.target)
        # The first iterable belongs to the scope around.
        self.visit(node.generators[0].iter)
        self.enter(_Scope(frozenset(names)))
        for index, generator in enumerate(node.generators):
            self.put("for", "async" if generator.is_async else "")
            self.visit(generator.target)
            if index:
                self.visit(generator.iter)
            self.visit(generator.ifs)
        for part in ("key", "value", "elt"):
            if hasattr(node, part):
                self.visit(getattr(node, part))
        self.leave()

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = comprehension

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.put("node", "ExceptHandler")
        if node.type is not None:
            self.visit(node.type)
        if node.name is not None:
            self.put("local", node.name)
        self.visit(node.body)

    def enter(self, scope: _Scope) -> None:
        self.scopes = (*self.scopes, scope)

    def leave(self) -> None:
        self.scopes = self.scopes[:-1]


# -------------------------------------------------------------------------------------------------- syntax trees


def _says_nothing(node: object) -> bool:
    """A docstring (any statement that is only a string) or `pass`."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return isinstance(node.value.value, str)
    return isinstance(node, ast.Pass)


def _is_guard(statement: ast.stmt) -> bool:
    """`if TYPE_CHECKING:`, which never runs, and `if __name__ == "__main__":`, which no import runs."""
    if not isinstance(statement, ast.If) or statement.orelse:
        return False
    test = ast.unparse(statement.test)
    return "TYPE_CHECKING" in test or test.startswith("__name__ ==")


def _is_asset_folder(node: ast.expr) -> bool:
    """An expression for a folder of the installed package: it starts from `__file__` or `importlib.resources`."""
    if isinstance(node, ast.BinOp):
        return False
    return any(
        (isinstance(part, ast.Name) and part.id == "__file__")
        or (isinstance(part, ast.Attribute) and _dotted(part) == ["importlib", "resources", "files"])
        for part in ast.walk(node)
    )


def _dotted(node: ast.expr) -> list[str] | None:
    """`a.b.c` as ["a", "b", "c"]; None for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else None


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a scope, those inside loops and branches too, not those of functions and classes in it."""
    for statement in body:
        yield statement
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for _, value in ast.iter_fields(statement):
                for item in value if isinstance(value, list) else []:
                    if isinstance(item, ast.stmt):
                        yield from _statements([item])
                    elif isinstance(item, ast.ExceptHandler | ast.match_case):
                        yield from _statements(item.body)


def _bound_by(body: Iterable[ast.stmt]) -> set[str]:
    """The names that the statements of a scope bind in it."""
    names: set[str] = set()
    for statement in _statements(body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
            continue
        if isinstance(statement, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0] for alias in statement.names}
            continue
        names |= _names_stored(statement)
        if isinstance(statement, ast.Try):
            names |= {handler.name for handler in statement.handlers if handler.name}
    return names


def _names_stored(node: ast.AST) -> set[str]:
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


def _global_names(body: Iterable[ast.stmt]) -> set[str]:
    return {name for statement in _statements(body) if isinstance(statement, ast.Global) for name in statement.names}


def _imported(statement: ast.stmt, module: str, is_package: bool) -> Iterator[tuple[str, tuple[str, str | None]]]:
    """Of an import: each bound name with its module and, for `from`, the attribute."""
    for part in _statements([statement]):
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


def _lazy_exports(body: Iterable[ast.stmt]) -> Iterator[tuple[str, str]]:
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
