"""Frozen dataclasses as configurations: validated, compared, hashed, converted to and from JSON.

A configuration is a frozen dataclass whose `__post_init__` calls the checks below. Neither torch nor jax is imported.
"""

import dataclasses
import difflib
import hashlib
import json
import math
import re
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, Union

from onepaper.errors import UsageError

ConfigT = TypeVar("ConfigT")


DEEPEST_JSON = 100
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
LARGEST_SEED = 2**32 - 1
"""The frameworks take larger seeds differently: some fail, some use the lowest 32 bits."""


def check_positive(name: str, value: float) -> None:
    """Raise `UsageError` unless `value` is finite and > 0."""
    if not 0 < value < math.inf:
        raise UsageError(f"{name} is {value}, expected a number above 0")


def check_non_negative(name: str, value: float) -> None:
    """Raise `UsageError` unless `value` is finite and >= 0."""
    if not 0 <= value < math.inf:
        raise UsageError(f"{name} is {value}, expected a number of at least 0")


def check_seed(name: str, value: int) -> None:
    """Raise `UsageError` unless `value` is a seed for all frameworks: 0 to `LARGEST_SEED`."""
    check_between(name, value, 0, LARGEST_SEED)


def check_between(name: str, value: float, low: float, high: float) -> None:
    """Raise `UsageError` unless `low <= value <= high`."""
    if not low <= value <= high:
        raise UsageError(f"{name} is {value}, expected a number from {low} to {high}")


def check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Raise `UsageError` unless `value` is one of `choices`; the message suggests the nearest."""
    choices = list(choices)
    if value not in choices:
        raise UsageError(unknown(name, value, choices))


def unknown(kind: str, value: str, choices: Iterable[str]) -> str:
    """One line for an unknown name: the nearest match if there is one, otherwise all choices."""
    choices = sorted(choices)
    near = difflib.get_close_matches(value[:200], choices, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"expected one of: {', '.join(choices) or 'none exist'}"
    return f"unknown {kind} '{value if len(value) <= 80 else f'{value[:77]}...'}': {hint}"


def shortened(value: Any) -> str:
    """The representation of a value, cut to what fits into a message."""
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def to_dict(config: Any) -> dict[str, Any]:
    """A dataclass as plain JSON values (tuples become lists, paths become strings)."""
    return {field.name: _to_json(getattr(config, field.name)) for field in dataclasses.fields(config)}


def _to_json(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_dict(value)
    if isinstance(value, tuple | list):
        return [_to_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    return value


def from_dict(config_type: type[ConfigT], values: Any, where: str = "configuration") -> ConfigT:
    """Build `config_type` from plain JSON values, naming the field that does not fit.

    Args:
        config_type: a dataclass; nested dataclasses, optionals, unions of dataclasses, tuples and literals are read.
        values: what `to_dict` wrote. Missing fields take their defaults.
        where: the source of the values, named in errors, e.g. a file.

    Raises:
        UsageError: an unknown or missing field, a value of the wrong kind, or a value that validation refuses.
    """
    if not isinstance(values, dict):
        raise UsageError(f"{where} holds {type(values).__name__}, expected the fields of {config_type.__name__}")
    hints = typing.get_type_hints(config_type)
    fields = {field.name: field for field in dataclasses.fields(config_type)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            raise UsageError(f"{where}: {unknown('field', name, fields)}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if name not in values and required and field.init:
            raise UsageError(f"{where}: field '{name}' of {config_type.__name__} is missing")
    built = {name: _from_json(hints[name], value, f"{where}: {name}") for name, value in values.items()}
    return config_type(**built)


def _from_json(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is typing.Annotated:
        return _from_json(arguments[0], value, where)
    if origin in (Union, types.UnionType):
        return _from_union(arguments, value, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_dict(hint, value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise UsageError(f"{where}: {unknown('value', str(value), map(str, arguments))}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise UsageError(f"{where} is {shortened(value)}, expected a list")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_from_json(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
        if len(value) != len(arguments):
            raise UsageError(f"{where} has {len(value)} values, expected {len(arguments)}")
        return tuple(_from_json(kind, item, where) for kind, item in zip(arguments, value, strict=True))
    if origin is list and isinstance(value, list):
        return [_from_json(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value)]
    if origin is not None and issubclass(origin, Mapping) and isinstance(value, dict):
        return {key: _from_json(arguments[1], item, f"{where}.{key:.40}") for key, item in value.items()}
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    kind = origin or hint
    if isinstance(kind, type) and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise UsageError(f"{where} is {shortened(value)}, expected {_kind_name(kind)}")
    return value


def _kind_name(kind: type) -> str:
    return "text" if kind in (str, Path) else kind.__name__


def _from_union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    problem: UsageError | None = None
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return _from_json(kind, value, where)
        except UsageError as error:
            problem = problem or error
    raise problem or UsageError(f"{where} is {shortened(value)}, which fits none of the expected kinds")


def read_json(path: Path, what: str = "file") -> Any:
    """Read a JSON file.

    Raises:
        UsageError: it is missing, or `parse_json` refuses it.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{what} {path} does not exist") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{what} {path} cannot be read ({error}); give the path of a JSON file") from None
    return parse_json(content, f"{what} {path}")


def parse_json(content: bytes, where: str) -> Any:
    """The value of a JSON document in UTF-8.

    Args:
        content: of a file.
        where: it comes from, named in errors.

    Raises:
        UsageError: not JSON, or JSON that no configuration holds: NaN and infinity, which the standard excludes,
            numbers of thousands of digits, NUL and lone surrogates in text, more than `DEEPEST_JSON` levels.
    """

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no number of JSON")

    try:
        value = json.loads(content.decode("utf-8"), parse_constant=refuse)
        waiting: list[tuple[Any, int]] = [(value, 1)]
        for item, depth in waiting:  # grows meanwhile
            if isinstance(item, dict):
                waiting += [(part, depth + 1) for pair in item.items() for part in pair]
            elif isinstance(item, list):
                waiting += [(part, depth + 1) for part in item]
            elif (isinstance(item, float) and math.isinf(item)) or (isinstance(item, int) and abs(item) >= 2**64):
                raise ValueError(f"{shortened(item)} is a number of more than 64 bits")
            elif isinstance(item, str) and _NO_TEXT.search(item):
                raise ValueError(f"{shortened(item)} is no text")
            if depth > DEEPEST_JSON:
                raise ValueError(f"more than {DEEPEST_JSON} levels")
        return value
    except (RecursionError, ValueError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        problem = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{where} is not readable JSON ({problem}); expected what onepaper wrote") from None


def config_hash(config: Any) -> str:
    """SHA-256 of the canonical JSON of a dataclass or dictionary: equal values, equal hash, on every machine."""
    values = config if isinstance(config, dict) else to_dict(config)
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


_OUTSIDE_IDENTITY: dict[type, frozenset[str]] = {}


def outside_identity(config_type: type, *names: str) -> None:
    """Declare fields of a dataclass that do not decide what is computed: where to write, how often to log, how long.

    They may differ between two commands that belong to one run folder. Subclasses inherit the declaration.
    """
    _OUTSIDE_IDENTITY[config_type] = _OUTSIDE_IDENTITY.get(config_type, frozenset()) | set(names)


def outside_fields(config: Any, prefix: str = "") -> set[str]:
    """The dotted names of all fields of a configuration that are declared by `outside_identity`."""
    declared = frozenset[str]().union(*(_OUTSIDE_IDENTITY.get(kind, ()) for kind in type(config).__mro__))
    found: set[str] = set()
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name in declared:
            found.add(prefix + field.name)
        elif dataclasses.is_dataclass(value):
            found |= outside_fields(value, f"{prefix}{field.name}.")
    return found


def identity(config: Any) -> dict[str, Any]:
    """The fields of a configuration that decide what is computed, as plain JSON values."""
    return without(to_dict(config), outside_fields(config))


def without(values: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Nested values without the fields of these dotted names."""
    left = dict(values)
    for name in names:
        first, _, rest = name.partition(".")
        if not rest:
            left.pop(first, None)
        elif isinstance(left.get(first), dict):
            left[first] = without(left[first], [rest])
    return left


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested fields as dotted names: `{"a": {"b": 1}}` becomes `{"a.b": 1}`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """The fields in which two configurations (as dictionaries) differ, as `a.b: 1 here, 2 there`."""
    here, there = flatten(ours), flatten(theirs)
    missing = object()
    mismatches = []
    for name in sorted(here.keys() | there.keys()):
        left, right = here.get(name, missing), there.get(name, missing)
        if left != right:
            shown = ["absent" if side is missing else shortened(side) for side in (left, right)]
            shown_name = name if len(name) <= 200 else f"{name[:197]}..."
            mismatches.append(f"{shown_name}: {shown[0]} here, {shown[1]} there")
    return mismatches
