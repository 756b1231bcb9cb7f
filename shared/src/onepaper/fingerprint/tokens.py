"""The tokens of definitions: what code does, without names of modules and of what stands at module level."""

# ruff: noqa: D102 - a method `visit_X` visits an X.

import ast
import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from onepaper.fingerprint.sources import FIGURE, SHARED, VALIDATOR, Root, Sources
from onepaper.fingerprint.syntax import (
    bound_by,
    dotted_name,
    global_names,
    imported_names,
    is_asset_folder,
    is_guard,
    names_stored,
    says_nothing,
    statements_of,
)


class Token(NamedTuple):
    """One token of code: an identifier of an object (attribute, parameter, local name), or anything else."""

    kind: str
    text: str
    scope: int = 0
    """Of a local name: the number of the definition that it is local to; 0 for attributes and keywords."""


def _line(token: Token) -> bytes:
    return f"{token.kind} {token.text}\n".encode()


class Stream:
    """Definitions one after the other, each numbered when it is first referred to."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    def definition(self, root: Root) -> list[Token | Root]:
        """The tokens of a definition; a definition that it refers to stands as its `Root`."""
        if root not in self.sources.definitions:
            self.sources.definitions[root] = Emitter(self.sources, root).all()
        return self.sources.definitions[root]

    def encoded(self, root: Root) -> list[bytes | Root]:
        """The lines of a definition as they are hashed, in pieces between the definitions that it refers to."""
        if root not in self.sources.encoded:
            pieces: list[bytes | Root] = []
            lines: list[bytes] = []
            for token in self.definition(root):
                if isinstance(token, Root):
                    pieces += [b"".join(lines), token]
                    lines.clear()
                else:
                    lines.append(_line(token))
            self.sources.encoded[root] = [*pieces, b"".join(lines)]
        return self.sources.encoded[root]

    def of(self, roots: Sequence[Root]) -> list[Token]:
        """All tokens behind some definitions."""
        numbers = self._numbers(roots)
        found = [Token("root", str(numbers[root])) for root in roots]
        for root, number in numbers.items():
            found.append(Token("definition", str(number)))
            for token in self.definition(root):
                if isinstance(token, Root):
                    found.append(Token("refers to", str(numbers[token])))
                else:
                    found.append(token._replace(scope=number if token.kind == "local" else 0))
        for tokens in self._effects(numbers):
            found += [Token("on import", ""), *tokens]
        return found

    def lines(self, roots: Sequence[Root]) -> bytes:
        """A line for each token of `of`, without making the tokens."""
        numbers = self._numbers(roots)
        lines = [_line(Token("root", str(numbers[root]))) for root in roots]
        for root, number in numbers.items():
            lines.append(b"definition %d\n" % number)
            for piece in self.encoded(root):
                lines.append(piece if isinstance(piece, bytes) else b"refers to %d\n" % numbers[piece])
        for tokens in self._effects(numbers):
            lines += map(_line, (Token("on import", ""), *tokens))
        return b"".join(lines)

    def _numbers(self, roots: Sequence[Root]) -> dict[Root, int]:
        """Definitions by number from 1, in the order in which they are first referred to."""
        numbers = {root: number for number, root in enumerate(dict.fromkeys(roots), 1)}
        waiting = [*numbers]
        for root in waiting:  # grows meanwhile
            for piece in self.encoded(root):
                if isinstance(piece, Root) and piece not in numbers:
                    numbers[piece] = len(numbers) + 1
                    waiting.append(piece)
        return numbers

    def _effects(self, roots: Iterable[Root]) -> list[list[Token]]:
        """What modules of the paper do on import, such as setting an option of a library."""
        package = next(iter(set(self.sources.folders) - {SHARED}), SHARED)
        modules = {
            ".".join(parts[:depth])
            for parts in (root.module.split(".") for root in roots)
            if parts[0] == package
            for depth in range(1, len(parts) + 1)
        }
        for module in modules - self.sources.effects.keys():
            self.sources.effects[module] = [
                [token if isinstance(token, Token) else Token("refers to", token.name) for token in tokens]
                for tokens in Emitter(self.sources, Root(module, "")).effects()
            ]
        return sorted(tokens for module in modules for tokens in self.sources.effects[module])


@dataclass(frozen=True)
class _Scope:
    """Names of a function, comprehension or class body; a name from an import keeps what it means."""

    names: frozenset[str]
    is_class: bool = False
    imports: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)


class Emitter:
    """The tokens of one definition."""

    def __init__(self, sources: Sources, root: Root) -> None:
        self.sources, self.root = sources, root
        self.package = root.module.split(".")[0]
        self.found: list[Token | Root] = []
        self.scopes: tuple[_Scope, ...] = ()

    def all(self) -> list[Token | Root]:
        if self.root.key is not None:
            self.visit(self.sources.entry(self.root, self.root.key))
            return self.found
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
                if not (isinstance(item, ast.stmt) and (says_nothing(item) or is_guard(item))):
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
        path = dotted_name(node)
        if path is None:
            if is_asset_folder(node):
                self.put("asset folder")
                return
            self.put("attribute")
            self.visit(node.value)
            self.put("name", node.attr)
            return
        meaning, attributes = self.followed(path)
        self.refer(meaning, path[0])
        for name in attributes:
            self.put("attribute")
            self.put("name", name)

    def followed(self, path: list[str]) -> "tuple[Root | str | bool | None, list[str]]":
        """What the first names of a path refer to together, and the attributes that are left."""
        meaning, used = self.meaning(path[0]), 1
        while isinstance(meaning, str) and ":" not in meaning and used < len(path):
            meaning = self.member(meaning, path[used])
            used += 1
        return meaning, path[used:]

    def visit_Subscript(self, node: ast.Subscript) -> None:
        entry = self.entry(node)
        if entry is None:
            self.generic(node)
        else:
            self.found.append(entry)

    def entry(self, node: ast.Subscript) -> Root | None:
        """An entry of a table at module level, such as `PRESETS["laptop"]`: the other entries do not count."""
        table, key = (self.definition_of(part) for part in (node.value, node.slice))
        if isinstance(key, Root):
            key = self.sources.text(key)
        elif isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            key = node.slice.value
        if table is None or key is None or not isinstance(node.ctx, ast.Load) or self.sources.entry(table, key) is None:
            return None
        return Root(table.module, table.name, key)

    def definition_of(self, node: ast.expr) -> Root | None:
        """The definition that an expression names."""
        path = dotted_name(node)
        meaning, attributes = self.followed(path) if path is not None else (None, [])
        return meaning if isinstance(meaning, Root) and not attributes else None

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
            if is_asset_folder(left):
                self.put("asset folder")
                for part in reversed(parts):
                    if not isinstance(part, ast.Constant):
                        self.visit(part)
                return
        self.generic(node)

    def visit_Call(self, node: ast.Call) -> None:
        if is_asset_folder(node):
            self.put("asset folder")
            return
        path = dotted_name(node.func)
        if path is not None and path[-1] == "Evidence" and not any(isinstance(arg, ast.Starred) for arg in node.args):
            measured = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "measured")]
            self.put("evidence")
            self.visit(measured)
            return
        if path is not None and self.meaning(path[0]) == FIGURE:
            self.put("figure")
            return
        if path is not None and self.is_training_loop(path):
            node = ast.Call(node.func, node.args, [word for word in node.keywords if word.arg != "draw"])
        if (
            path is not None
            and self.meaning(path[0]) == VALIDATOR
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            # The first argument of a validator is what its message calls the value.
            node = ast.Call(node.func, node.args[1:], node.keywords)
        self.generic(node)

    def is_training_loop(self, path: list[str]) -> bool:
        """Whether a dotted name is `onepaper.training.fit`."""
        meaning = self.meaning(path[0])
        return (
            len(path) == 1
            and isinstance(meaning, Root)
            and meaning.name == "fit"
            and meaning.module.split(".")[0] == SHARED
        )

    def only_drawn(self, node: "ast.FunctionDef | ast.AsyncFunctionDef") -> set[str]:
        """Local names of a function that only serve what the training loop draws for its sample pages."""
        drawn = [
            word.value
            for call in ast.walk(node)
            if isinstance(call, ast.Call) and (path := dotted_name(call.func)) and self.is_training_loop(path)
            for word in call.keywords
            if word.arg == "draw"
        ]
        if not drawn:
            return set()
        parameters = {argument.arg for argument in node.args.kwonlyargs}
        names = bound_by(node.body) | parameters
        statements = [statement for statement in node.body if isinstance(statement, ast.Assign | ast.FunctionDef)]

        def loads(part: ast.AST) -> dict[str, int]:
            counts: dict[str, int] = {}
            for inner in ast.walk(part):
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
                    counts[inner.id] = counts.get(inner.id, 0) + 1
            return counts

        everywhere = loads(node)
        inside: dict[str, int] = {}
        found: set[str] = set()
        parts: list[ast.AST] = list(drawn)
        while parts:
            for part in parts:
                for name, count in loads(part).items():
                    inside[name] = inside.get(name, 0) + count
            new = {name for name in names - found if 0 < inside.get(name, 0) == everywhere.get(name)}
            found |= new
            parts = [statement for statement in statements if bound_by([statement]) & new]
        return found

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
        self.put("node", type(node).__name__)
        body: list[ast.stmt] = [ast.Expr(node.body)] if isinstance(node, ast.Lambda) else list(node.body)
        if not isinstance(node, ast.Lambda):
            if self.scopes:
                # A method is an attribute of its class, a function inside a function is a local name.
                self.put("name" if self.scopes[-1].is_class else "local", node.name)
            self.visit(node.decorator_list)
        arguments = node.args
        if not isinstance(node, ast.Lambda) and (hidden := self.only_drawn(node)):
            kept = [
                pair
                for pair in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
                if pair[0].arg not in hidden
            ]
            arguments = copy.copy(arguments)
            arguments.kwonlyargs, arguments.kw_defaults = [pair[0] for pair in kept], [pair[1] for pair in kept]
            body = [s for s in body if not (bound := bound_by([s])) or not bound <= hidden]
        self.visit([*arguments.defaults, *arguments.kw_defaults])
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        variable = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
        names = bound_by(body) | {argument.arg for argument in (*every, *variable)}
        imports = {
            name: meaning
            for statement in statements_of(body)
            for name, meaning in imported_names(
                statement, self.root.module, self.sources.module(self.root.module).is_package
            )
        }
        self.put("arguments", f"{len(arguments.posonlyargs)} {len(arguments.args)} {len(arguments.kwonlyargs)}")
        self.put("variable", f"{arguments.vararg is not None} {arguments.kwarg is not None}")
        self.enter(_Scope(frozenset(names - global_names(body)), imports=imports))
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
        self.enter(_Scope(frozenset(bound_by(node.body)), is_class=True))
        for statement in node.body:
            if not says_nothing(statement):
                self.visit_member(statement)
        self.leave()
        self.put("end")

    def visit_member(self, statement: ast.stmt) -> None:
        """A statement of a class body: what it binds is an attribute."""
        before = len(self.found)
        self.visit(statement)
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = bound_by([statement])
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
            names |= names_stored(generator.target)
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
