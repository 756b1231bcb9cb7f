"""Arrays from pickles of other people, read without running what a pickle can call.

A pickle is a program that builds objects and calls functions by name. `load` interprets the operations that build
numbers, text, lists, tuples, dictionaries and numeric arrays, and refuses all others. Python's own unpickler is not
used: it takes memory for sizes that a file only declares, and hands state to constructors. Here

- a name outside `constructors` is refused, or skipped with all that is built from it (`skipped`);
- an array is its shape, its dtype (a number type by its code) and its bytes, which must have the right length; it is a
  view of them, so that no declared size takes memory;
- the number of operations, and the bytes that re-encoding makes, are limited; nothing is recursive.
"""

import contextlib
import math
import mmap
import pickletools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onepaper.errors import OnePaperError, UsageError

LARGEST_PROGRAM = 2_000_000
"""Operations of one pickle; a checkpoint of a thousand arrays has about 50,000"""
_NUMBER = re.compile(r"[biufc]\d{1,2}")
_SCALARS = (str, bytes, int, float, bool, type(None))
_MARK = object()


class Skipped:
    """Stands for everything that is made from a skipped name, such as the state of an optimiser."""


SKIPPED = Skipped()


class _Name:
    """A global name, which an operation may call."""

    def __init__(self, name: str, build: Callable[..., Any]) -> None:
        self.name, self.build = name, build


class _Dtype:
    """A number type: code and byte order; the order comes with its state."""

    def __init__(self, code: Any, *_: Any) -> None:
        if not isinstance(code, str) or not _NUMBER.fullmatch(code):
            raise ValueError(f"an array of type {_shown(code)}, expected numbers")
        self.code, self.order = code, "|"

    def state(self, state: Any) -> None:
        """`(version, order, subdtype, names, fields, size, alignment, flags)` without parts: numbers have none."""
        order, parts = (state[1], state[2:5]) if isinstance(state, tuple) and len(state) == 8 else (None, ())
        if order not in ("<", ">", "|", "=") or any(part is not None for part in parts):
            raise ValueError("an array of structured or unknown type, expected numbers")
        self.order = str(order)

    @property
    def numpy(self) -> np.dtype[Any]:
        """The numpy dtype."""
        return np.dtype(self.order + self.code)


class _Bfloat16(_Dtype):
    """The number type of the library ml_dtypes, which numpy reads once it is imported."""

    def __init__(self) -> None:
        self.code, self.order = "bfloat16", "|"

    @property
    def numpy(self) -> np.dtype[Any]:
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)


class _Array:
    """An array without content, which the next state fills; `places` are its keys in the memo."""

    def __init__(self) -> None:
        self.places: list[int] = []

    def filled(self, state: Any) -> np.ndarray[Any, Any]:
        """`(version, shape, dtype, is_fortran, content)`."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise ValueError("an array without shape, type and content")
        return array_of(state[4], state[2], state[1], "F" if state[3] else "C")


def array_of(content: Any, dtype: Any, shape: Any, order: Any = "C") -> np.ndarray[Any, Any]:
    """The array with these bytes, a view of them.

    Raises:
        ValueError: the parts are of wrong kinds, or the bytes are not those of that shape and dtype.
    """
    sizes: tuple[Any, ...] = tuple(shape) if isinstance(shape, tuple | list) else (None,)
    if not isinstance(dtype, _Dtype) or not isinstance(content, bytes) or order not in ("C", "F"):
        raise ValueError("an array that numpy did not write")
    if not all(type(size) is int and 0 <= size < 2**48 for size in sizes) or len(sizes) > 32:
        raise ValueError(f"an array of shape {_shown(shape)}")
    if math.prod(sizes) * dtype.numpy.itemsize != len(content):
        raise ValueError(f"an array of shape {_shown(shape)} and type {dtype.numpy} with {len(content)} bytes")
    return np.frombuffer(content, dtype.numpy).reshape(sizes, order=order)


def _scalar(dtype: Any, content: Any) -> Any:
    return array_of(content, dtype, ())[()]


def _empty(*_: Any) -> _Array:
    return _Array()


def _no_bytes() -> bytes:
    """Bytes of length 0, as protocols before 3 write them."""
    return b""


def _ordered() -> dict[Any, Any]:
    """An ordered dictionary; its items follow."""
    return {}


def _wrapped(function: Any, _arguments: Any, state: Any, *_: Any) -> Any:
    """An array inside the wrappers of JAX and dill: numpy's function, its arguments, the state."""
    if not isinstance(function, _Name) or function.build is not _empty:
        raise ValueError("an array that numpy did not write")
    return _Array().filled(state)


NUMPY: Mapping[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered,
    "__builtin__.bytes": _no_bytes,
    "numpy.ndarray": _empty,
    "numpy.dtype": _Dtype,
    "ml_dtypes.bfloat16": _Bfloat16,
    **{
        f"numpy.{core}.{name}": build
        for core in ("core", "_core")
        for name, build in (
            ("multiarray._reconstruct", _empty),
            ("multiarray.scalar", _scalar),
            ("numeric._frombuffer", array_of),
        )
    },
}
"""What numpy's arrays and scalars are made with, and dictionaries in order"""

WRAPPED: Mapping[str, Callable[..., Any]] = {
    "jax._src.array._reconstruct_array": _wrapped,
    "jax._src.device_array.reconstruct_device_array": _wrapped,
    "dill._dill._create_array": _wrapped,
}
"""Arrays as JAX and dill wrap them"""


def read_pickle(
    path: Path, constructors: Mapping[str, Callable[..., Any]] = NUMPY, *, skipped: Sequence[str] = (), advice: str = ""
) -> Any:
    """The content of a file with one pickle: numbers, text, arrays, lists, tuples and dictionaries.

    Args:
        path: the file; its arrays are read-only.
        constructors: dotted name -> function of plain values, for what the pickle may build.
        skipped: packages whose objects are replaced by `SKIPPED`.
        advice: what to do about a file that refers to other names, for the message.

    Raises:
        UsageError: no such file, it refers to another name, or it is damaged or no pickle.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist, expected a file")
    with explain_damage(path), path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return load(content, len(content), constructors, where=path, skipped=skipped, advice=advice)
    raise AssertionError  # for type checkers: the block does not suppress errors


@contextlib.contextmanager
def explain_damage(path: Path) -> Iterator[None]:
    """Raise whatever damaged content causes in the block as one `UsageError` that names the file."""
    try:
        yield
    except OnePaperError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UsageError(f"{path} is damaged or no file of arrays ({reason}); copy it again") from error


def load(
    file: Any,
    size: int,
    constructors: Mapping[str, Callable[..., Any]] = NUMPY,
    *,
    where: object,
    skipped: Sequence[str] = (),
    advice: str = "",
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """The value of the pickle at the position of `file`; arguments as of `read_pickle`.

    Args:
        file: of bytes, whose `read(n)` takes no memory beyond its end (`mmap`, `io.BytesIO`).
        size: of the file in bytes.
        constructors: see `read_pickle`.
        where: named in errors.
        skipped: see `read_pickle`.
        advice: see `read_pickle`.
        persistent: makes the value of a persistent identifier (torch's storages).

    Raises:
        UsageError: it refers to another name.
        ValueError: it is damaged, or builds something else than plain values.
    """
    return _Machine(file, size, constructors, where, tuple(skipped), advice, persistent).run()


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(
        self,
        file: Any,
        size: int,
        constructors: Mapping[str, Callable[..., Any]],
        where: object,
        skipped: tuple[str, ...],
        advice: str,
        persistent: Callable[[Any], Any] | None,
    ) -> None:
        self.file, self.size, self.where = file, size, where
        self.skipped, self.advice, self.persistent = skipped, advice, persistent
        self.constructors = {**constructors, "_codecs.encode": self._encode}
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.encoded = 0

    def run(self) -> Any:
        for count, (operation, argument, _) in enumerate(pickletools.genops(self.file)):
            if count > LARGEST_PROGRAM:
                raise ValueError(f"more than {LARGEST_PROGRAM} operations")
            if operation.name == "STOP":
                return self._pop()
            self._do(operation.name, argument)
        raise ValueError("it ends early")

    def _do(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _LITERALS:
            stack.append(bytes(argument) if isinstance(argument, bytearray) else argument)
        elif name in ("PROTO", "FRAME"):
            pass
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            parts = argument.split(" ", 1) if name == "GLOBAL" else self._pops(2)
            stack.append(self._named(".".join(map(_shown, parts))))
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._remember(len(self.memo) if name == "MEMOIZE" else argument)
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            if argument not in self.memo:
                raise ValueError("a reference to nothing")
            stack.append(self.memo[argument])
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "POP":
            self._pop(anything=True)
        elif name == "POP_MARK":
            self._to_mark()
        elif name == "DUP":
            stack.append(self._top())
        elif name in ("EMPTY_LIST", "EMPTY_DICT"):
            stack.append([] if name == "EMPTY_LIST" else {})
        elif name in ("TUPLE", "LIST"):
            items = self._to_mark()
            stack.append(tuple(items) if name == "TUPLE" else items)
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            stack.append(tuple(self._pops(int(name[-1]))))
        elif name == "DICT":
            items = self._to_mark()
            stack.append({})
            self._set(items)
        elif name in ("APPEND", "APPENDS"):
            items = self._to_mark() if name == "APPENDS" else self._pops(1)
            target = self._top()
            if isinstance(target, list):
                target += items
            elif target is not SKIPPED:
                raise ValueError(f"an item of {_shown(target)}")
        elif name in ("SETITEM", "SETITEMS"):
            self._set(self._to_mark() if name == "SETITEMS" else self._pops(2))
        elif name in ("REDUCE", "NEWOBJ", "NEWOBJ_EX"):
            arguments = self._pops({"REDUCE": 2, "NEWOBJ": 2, "NEWOBJ_EX": 3}[name])
            stack.append(self._call(arguments[0], arguments[1]))
        elif name == "BUILD":
            self._build()
        elif name == "BINPERSID" and self.persistent is not None:
            stack.append(self.persistent(self._pop()))
        else:
            raise ValueError(f"the operation {name}, which plain values do not need")

    def _named(self, name: str) -> Any:
        if name in self.constructors:
            return _Name(name, self.constructors[name])
        if name.split(".")[0] in self.skipped:
            return SKIPPED
        raise UsageError(
            f"{self.where} refers to '{name}', expected only arrays and plain containers"
            + (f"; {self.advice}" if self.advice else "")
        )

    def _call(self, called: Any, arguments: Any) -> Any:
        if called is SKIPPED:
            return SKIPPED
        if not isinstance(called, _Name) or not isinstance(arguments, tuple):
            raise ValueError(f"a call of {_shown(called)}")
        # One dtype of ml_dtypes is written as a call of `numpy.dtype` with its class.
        if called.build is _Dtype and arguments and isinstance(arguments[0], _Name) and arguments[0].build is _Bfloat16:
            return _Bfloat16()
        return called.build(*arguments)

    def _build(self) -> None:
        target, state = self._pops(2)
        if isinstance(target, _Dtype):
            if not isinstance(target, _Bfloat16):
                target.state(state)
        elif isinstance(target, _Array):
            places, target = target.places, target.filled(state)
            self.memo |= dict.fromkeys(places, target)
        elif not isinstance(target, dict | Skipped):  # attributes of a dictionary are left out
            raise ValueError(f"a state of {_shown(target)}")
        self.stack.append(target)

    def _set(self, items: list[Any]) -> None:
        target = self._top()
        if target is SKIPPED:
            return
        if not isinstance(target, dict) or len(items) % 2:
            raise ValueError(f"items of {_shown(target)}")
        for key in items[::2]:
            if not isinstance(key, _SCALARS):  # the hash of a tuple would be recursive
                raise ValueError(f"the key {_shown(key)}")
        target.update(zip(items[::2], items[1::2], strict=True))

    def _encode(self, text: Any, encoding: Any = "latin1") -> bytes:
        """Bytes as protocols before 3 write them."""
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise ValueError("bytes in an unknown encoding")
        self.encoded += len(text)
        if self.encoded > self.size:  # one text may be referred to many times
            raise ValueError("more bytes than the file has")
        return text.encode("latin1")

    def _remember(self, key: int) -> None:
        value = self._top()
        if isinstance(value, _Array):
            value.places.append(key)
        self.memo[key] = value

    def _top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise ValueError("an operation without a value")
        return self.stack[-1]

    def _pop(self, anything: bool = False) -> Any:
        if not anything or not self.stack:
            self._top()
        return self.stack.pop()

    def _pops(self, count: int) -> list[Any]:
        return [self._pop() for _ in range(count)][::-1]

    def _to_mark(self) -> list[Any]:
        items: list[Any] = []
        while self.stack:
            item = self.stack.pop()
            if item is _MARK:
                return items[::-1]
            items.append(item)
        raise ValueError("an operation without a mark")


_CONSTANTS: Mapping[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    )
)


def _shown(value: Any) -> str:
    """A value in a few characters, without following what it holds."""
    return str(value)[:80] if isinstance(value, _SCALARS) else type(value).__name__
