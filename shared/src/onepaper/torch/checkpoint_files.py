"""Tensors from files that `torch.save` wrote elsewhere, read without running what a pickle can call.

Of `torch.load(weights_only=True)` remain three faults: archives with wrong checksums load, a tensor may be larger than
its storage, which then grows to the declared size, and files before torch 1.6 take memory for declared sizes. Here the
pickle is interpreted (`onepaper.foreign.pickles`), and tensors are views of storages that the file has.
"""

import io
import math
import mmap
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from onepaper.errors import UsageError
from onepaper.foreign.arrays import checked_entries
from onepaper.foreign.pickles import NUMPY, explain_damage, load

_DTYPES: Mapping[str, torch.dtype] = {
    "torch.DoubleStorage": torch.float64,
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}
_OLD_MAGIC, _OLD_VERSION = 0x1950A86A20F9469CFC6C, 1001


def read_torch_file(path: Path, *, advice: str = "") -> Any:
    """What `torch.save` wrote: tensors (on the CPU, strided), arrays, numbers, text and containers of them.

    Tensors are views of the mapped file, so that only what is used is loaded; writing to them does not change it.

    Args:
        path: a file of today's format (an archive) or of that before torch 1.6.
        advice: what to do about a file that holds other objects, for the message.

    Raises:
        UsageError: no such file, or it holds other objects, is damaged, or is no file of torch.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist, expected a file of torch")
    with explain_damage(path), path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)  # kept open by the tensors
        return _read_archive(path, content, advice) if zipfile.is_zipfile(path) else _read_old(path, content, advice)
    raise AssertionError  # for type checkers: the block does not suppress errors


def _read_archive(path: Path, content: mmap.mmap, advice: str) -> Any:
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: entry for entry in checked_entries(archive, path, len(content))}
        if damaged := archive.testzip():
            raise ValueError(f"{damaged!r} has a wrong checksum")
        (program,) = [name for name in entries if name.split("/")[1:] == ["data.pkl"]]
        root = program.removesuffix("data.pkl")
        if f"{root}byteorder" in entries and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("numbers in another byte order")
        pickled = archive.read(program)

    def storage(identifier: Any) -> Tensor:
        dtype, key, count = _storage(identifier)
        entry = entries[f"{root}data/{key}"]
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != count * dtype.itemsize:
            raise ValueError(f"a storage of {count} numbers in {entry.file_size} bytes")
        # The entry's own header has a name and an extra field of its own lengths.
        lengths = content[entry.header_offset + 26 : entry.header_offset + 30]
        begin = entry.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
        return _view(content, begin, dtype, count)

    return load(io.BytesIO(pickled), len(pickled), _TENSORS, where=path, advice=advice, persistent=storage)


def _read_old(path: Path, content: mmap.mmap, advice: str) -> Any:
    """Five pickles: a mark, a version, facts of the machine, the object, keys of its storages; then their numbers."""

    def part(storage: Callable[[Any], Any] | None = None, constructors: Mapping[str, Any] = _TENSORS) -> Any:
        return load(content, len(content), constructors, where=path, advice=advice, persistent=storage)

    if part() != _OLD_MAGIC or part() != _OLD_VERSION or not part()["little_endian"]:
        raise ValueError("no file of torch for this machine")
    start = content.tell()
    # The object stands before its numbers: read it without tensors first, to know the types of its storages.
    declared: dict[str, tuple[torch.dtype, int]] = {}

    def declare(identifier: Any) -> None:
        dtype, key, count = _storage(identifier)
        declared[key] = (dtype, count)

    part(declare, _TENSORS | dict.fromkeys(_REBUILD, lambda *_: None))
    storages: dict[str, Tensor] = {}
    for key in part():
        dtype, count = declared[key]
        if int.from_bytes(content.read(8), "little") != count:
            raise ValueError(f"a storage without its {count} numbers")
        storages[key] = _view(content, content.tell(), dtype, count)
        content.seek(count * dtype.itemsize, io.SEEK_CUR)
    content.seek(start)
    return part(lambda identifier: storages[_storage(identifier)[1]])


def _storage(identifier: Any) -> tuple[torch.dtype, str, int]:
    """Type, key and number of numbers of `("storage", type, key, device, count)`, with a None in old files."""
    if not isinstance(identifier, tuple) or len(identifier) not in (5, 6) or identifier[5:] not in ((), (None,)):
        raise ValueError("a storage of unknown form")
    kind, name, key, _, count = identifier[:5]
    dtype = _DTYPES.get(getattr(name, "name", ""))
    if kind != "storage" or dtype is None or not isinstance(key, str) or type(count) is not int or count < 0:
        raise ValueError("a storage of unknown form")
    return dtype, key, count


def _view(content: mmap.mmap, begin: int, dtype: torch.dtype, count: int) -> Tensor:
    end = begin + count * dtype.itemsize
    if end > len(content):
        raise ValueError(f"a storage of {count} numbers, which end after the file")
    if count == 0:
        return torch.empty(0, dtype=dtype)
    if begin % dtype.itemsize:
        return torch.frombuffer(bytearray(content[begin:end]), dtype=dtype)
    return torch.frombuffer(content, dtype=dtype, count=count, offset=begin)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """A strided view of a storage, inside it. A stride of 0 repeats numbers without taking memory."""
    numbers = (offset, *size, *stride)
    if not isinstance(storage, Tensor) or len(size) != len(stride) or len(size) > 32:
        raise ValueError("a tensor of unknown form")
    if not all(type(number) is int and 0 <= number < 2**48 for number in numbers) or math.prod(size) >= 2**62:
        raise ValueError("a tensor of impossible shape")
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if last >= len(storage) and 0 not in size:
        raise ValueError(f"a tensor beyond the {len(storage)} numbers of its storage")
    return storage.as_strided(size, stride, offset)


def _parameter(data: Any, *_: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise ValueError("a parameter without a tensor")
    return data


def _no_object(*_: Any) -> None:
    raise ValueError("a storage outside a tensor")


_STORAGES: Mapping[str, Callable[..., Any]] = dict.fromkeys(_DTYPES, _no_object)
_REBUILD: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
}
_TENSORS: dict[str, Callable[..., Any]] = {**NUMPY, **_STORAGES, **_REBUILD, "torch.Size": tuple}
