"""Arms: results of expensive units of work (a training run), kept as files so that they are computed once."""

import contextlib
import io
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from onepaper.claims.evidence import ArmResult, Cost
from onepaper.errors import UsageError
from onepaper.foreign.pickles import explain_damage
from onepaper.runs import write_atomic

# Prefixed, so that no name of a paper meets an argument of numpy's. Numbers and arrays of a result are entries of their
# own; text, bytes, lists and dictionaries are in one JSON document, which refers to the arrays in them.
_SECONDS, _PEAK, _VALUE, _DOCUMENT, _PART = "seconds", "peak", "value/", "document", "part/"
_EXPECTED = "expected numbers, text, bytes, numeric arrays, or lists and dictionaries of them"


def plain_arm(name: str, result: Any) -> ArmResult:
    """Values as they come back from a file, so that a resumed run sees what a fresh one sees (tuples become lists).

    Raises:
        UsageError: the result is no dictionary, or a value is of another kind.
    """
    if not isinstance(result, Mapping):
        raise UsageError(f"arm '{name}' returned {type(result).__name__}, expected a dictionary of values by name")
    return {key: _plain(value, f"arm '{name}': '{key}'") for key, value in result.items()}


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise UsageError(f"{where} has the key {key!r}, expected text")
        return {key: _plain(item, f"{where}['{key}']") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, str | bytes) and not isinstance(value, np.generic):
        return value
    if not isinstance(value, bool | int | float | complex | np.generic | np.ndarray):
        raise UsageError(f"{where} is {type(value).__name__}, {_EXPECTED}")
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        raise UsageError(f"{where} holds {array.dtype}, {_EXPECTED}")
    return array.item() if array.ndim == 0 else array


def write_arm(path: Path, result: ArmResult, cost: Cost) -> None:
    """Write a result with what it took, atomically."""
    arrays: dict[str, Any] = {}
    document: dict[str, Any] = {}
    for name, value in result.items():
        if isinstance(value, str | bytes | list | dict):
            document[name] = _pack(value, arrays)
        else:
            arrays[_VALUE + name] = value
    if document:
        arrays[_DOCUMENT] = np.frombuffer(json.dumps(document).encode(), np.uint8)
    content = io.BytesIO()
    np.savez(content, **{_SECONDS: cost.seconds, _PEAK: cost.peak}, **arrays)
    write_atomic(path, content.getvalue())


def _pack(value: Any, arrays: dict[str, Any]) -> Any:
    """A value as JSON; objects are marks of what JSON lacks, and of dictionaries."""

    def store(array: Any) -> str:
        key = f"{_PART}{len(arrays)}"
        arrays[key] = array
        return key

    if isinstance(value, dict):
        return {"dictionary": {name: _pack(item, arrays) for name, item in value.items()}}
    if isinstance(value, list):
        kind = _kind_of_items(value)
        if kind is None:
            return [_pack(item, arrays) for item in value]
        # One array for all: an archive entry for each of many short ones would be larger than they are.
        items = [np.frombuffer(item, np.uint8) for item in value] if kind == "bytes" else value
        joined = np.concatenate(items, dtype=items[0].dtype)
        return {"items": kind, "joined": store(joined), "lengths": store(np.array([len(item) for item in items]))}
    if isinstance(value, bytes):
        return {"bytes": store(np.frombuffer(value, np.uint8))}
    if isinstance(value, np.ndarray | complex):
        return {"array": store(value)}
    return value


def _kind_of_items(values: list[Any]) -> str | None:
    """Whether a list is of byte strings only, or of arrays that differ only in their length; otherwise None."""
    if values and all(isinstance(value, bytes) for value in values):
        return "bytes"
    if values and all(isinstance(value, np.ndarray) for value in values):
        same = {(value.dtype.str, value.shape[1:]) for value in values}
        return "array" if len(same) == 1 else None
    return None


def _unpack(packed: Any, arrays: Mapping[str, Any]) -> Any:
    if isinstance(packed, list):
        return [_unpack(item, arrays) for item in packed]
    if not isinstance(packed, dict):
        return packed
    if "dictionary" in packed:
        return {name: _unpack(item, arrays) for name, item in packed["dictionary"].items()}
    if "items" in packed:
        pieces = np.split(arrays[packed["joined"]], np.cumsum(arrays[packed["lengths"]])[:-1])
        return [piece.tobytes() for piece in pieces] if packed["items"] == "bytes" else pieces
    if "bytes" in packed:
        return arrays[packed["bytes"]].tobytes()
    array = arrays[packed["array"]]
    return array.item() if array.ndim == 0 else array


def read_arm(path: Path) -> tuple[ArmResult, Cost] | None:
    """A stored arm; None where there is none or the file is damaged (detected by the archive's checksums)."""
    if not path.exists():
        return None
    try:
        with explain_damage(path):
            with np.load(path, allow_pickle=False) as archive:
                stored = {name: archive[name] for name in archive.files}
            cost = Cost(float(stored.pop(_SECONDS)), int(stored.pop(_PEAK, 0)))
            document = json.loads(stored.pop(_DOCUMENT).tobytes()) if _DOCUMENT in stored else {}
            result = {name: _unpack(packed, stored) for name, packed in document.items()}
    except UsageError as error:
        logging.getLogger(__name__).warning("%s is damaged (%s); computing it again", path, error.__cause__)
        return None
    for name, value in stored.items():
        if name.startswith(_VALUE):
            result[name.removeprefix(_VALUE)] = value.item() if value.ndim == 0 else value
    return result, cost


@contextlib.contextmanager
def arm_lock(path: Path) -> Iterator[None]:
    """Held while an arm is computed: another process of the same run waits for it instead of computing it too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        yield
