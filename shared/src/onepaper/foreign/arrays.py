"""Arrays from `.npy` and `.npz` files of other people: plain numbers whose declared sizes are those of the file.

numpy takes memory for the shape in a header before it reads the content, so a file of 200 bytes could ask for
terabytes. Here the header is compared with the size of what follows first.
"""

import io
import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from onepaper.errors import UsageError
from onepaper.foreign.pickles import explain_damage

LARGEST_ARCHIVE = 8 * 2**30
"""Bytes that a compressed archive may unpack to, unless the caller sets another limit"""
# The most that deflate compresses by: a declared size beyond this is false.
_LARGEST_RATIO = 1100
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0, (3, 0): npy.read_array_header_2_0}


def read_npy(path: Path) -> np.ndarray[Any, Any]:
    """The array of a `.npy` file.

    Raises:
        UsageError: no such file, or it is damaged, holds objects, or is shorter or longer than its header says.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist, expected a .npy file")
    with explain_damage(path), path.open("rb") as file:
        return _read(file, path.stat().st_size)
    raise AssertionError  # for type checkers: the block does not suppress errors


def read_npz(path: Path, *, max_bytes: int = LARGEST_ARCHIVE) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of an `.npz` file by name; checksums are verified.

    Args:
        path: the file.
        max_bytes: refuse an archive that unpacks to more than this.

    Raises:
        UsageError: no such file, or it is damaged, holds objects or other files, declares sizes that it does not have,
            or unpacks to more than `max_bytes`.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist, expected an .npz file")
    with explain_damage(path), zipfile.ZipFile(path) as archive:
        entries = checked_entries(archive, path, max_bytes)
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        for entry in entries:
            if not entry.filename.endswith(".npy"):
                raise ValueError(f"{entry.filename!r} is no array")
            with archive.open(entry) as file:
                arrays[entry.filename.removesuffix(".npy")] = _read(file, entry.file_size)
        return arrays
    raise AssertionError  # for type checkers: the block does not suppress errors


def checked_entries(archive: zipfile.ZipFile, path: Path, max_bytes: int) -> list[zipfile.ZipInfo]:
    """The entries of an archive, whose names are unique and whose declared sizes are possible.

    Raises:
        UsageError: it unpacks to more than `max_bytes`.
        ValueError: otherwise.
    """
    entries = archive.infolist()
    if len({entry.filename for entry in entries}) < len(entries):
        raise ValueError("a name is there twice")
    for entry in entries:
        stored = entry.compress_type == zipfile.ZIP_STORED
        if entry.file_size > (entry.compress_size if stored else entry.compress_size * _LARGEST_RATIO):
            raise ValueError(f"{entry.filename!r} declares {entry.file_size} bytes")
    if sum(entry.compress_size for entry in entries) > path.stat().st_size:
        raise ValueError("its entries are larger than the file")
    if (total := sum(entry.file_size for entry in entries)) > max_bytes:
        raise UsageError(f"{path} unpacks to {total:,} bytes, expected at most {max_bytes:,}")
    return entries


def _read(file: IO[bytes], size: int) -> np.ndarray[Any, Any]:
    """The array of a file of `size` bytes."""
    start = io.BytesIO(file.read(min(size, 2**16)))  # a header of version 1 is at most this long, ours are shorter
    version = npy.read_magic(start)
    if version not in _HEADERS:
        raise ValueError(f"format {version}")
    shape, fortran_order, dtype = _HEADERS[version](start)
    if dtype.hasobject or dtype.subdtype is not None:
        raise ValueError(f"an array of {dtype}, expected numbers")
    expected = math.prod(shape) * dtype.itemsize
    if expected != size - start.tell() or not all(0 <= length < 2**62 for length in shape):
        raise ValueError(f"an array of shape {shape} and type {dtype} with {size - start.tell()} bytes")
    content = start.read() + file.read(size)  # reading to the end verifies the checksum of an archive
    if len(content) != expected:
        raise ValueError("it ends early")
    array = (
        np.frombuffer(bytearray(content), dtype, count=math.prod(shape)) if dtype.itemsize else np.empty(shape, dtype)
    )
    return array.reshape(shape, order="F" if fortran_order else "C")
