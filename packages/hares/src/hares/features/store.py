"""Features on disk by the content of what they were computed from; memory-mapped, resumable, for several processes.

    FOLDER/KEY/rows.npy     the features
    FOLDER/KEY/owners.npy   the item of each row
    FOLDER/KEY/entry.json   what the key stands for, and the SHA-256 of both files
    FOLDER/KEY.parts/       finished parts of an entry that is not complete
    FOLDER/KEY.lock         held by the process that computes the entry

A key is the SHA-256 of a description, in which the caller names everything that the features depend on. A part is
written atomically, and an entry appears by a rename; so a process that is killed loses the part that it was computing.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import filelock
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Int64
from numpy.lib import format as npy
from onepaper.config import read_json
from onepaper.data import file_sha256
from onepaper.display.file_bytes import npz_bytes
from onepaper.errors import OnePaperError, UsageError
from onepaper.foreign.arrays import read_npz
from onepaper.progress import track
from onepaper.runs import check_writable, sync_folder, write_atomic

_ROWS, _OWNERS, _ENTRY = "rows.npy", "owners.npy", "entry.json"


class Features(NamedTuple):
    """Features of items, several rows an item.

    Attributes:
        rows: the features.
        owners: the item of each row, in increasing order.
    """

    rows: Float32[np.ndarray, "rows dim"]
    owners: Int64[np.ndarray, " rows"]


Compute = Callable[[int, int], Features]
"""Features of the items `start` to `stop`; owners count from 0, the first item of all."""


class FeatureStore:
    """A folder of features.

    Args:
        folder: is made if it is missing.
        items: number of items of a part, which is what a killed process loses.

    Raises:
        OnePaperError: the folder cannot be made.
    """

    def __init__(self, folder: Path, *, items: int = 256) -> None:
        self.folder, self._items = folder, items
        if not folder.is_dir():
            check_writable(folder, "--features")
            folder.mkdir(parents=True, exist_ok=True)

    def get(self, description: Mapping[str, str], count: int, compute: Compute, title: str = "features") -> Features:
        """The features of `count` items, which are computed unless the store has them; rows are memory-mapped.

        Another process that computes the same features is waited for.

        Args:
            description: names all that the features depend on.
            count: number of items.
            compute: is called for parts of the items, in order.
            title: for the progress line.

        Raises:
            OnePaperError: the disk is full, or `compute` gives rows of different widths.
        """
        key = self.key(description)
        found = self._open(key)
        if found is not None:
            return found
        with filelock.FileLock(self.folder / f"{key}.lock"):
            # Another process may have computed them meanwhile.
            found = self._open(key)
            if found is None:
                self._write(key, description, count, compute, title)
                found = self._open(key)
        if found is None:
            raise OnePaperError(f"{self.folder / key} changed while it was written; look for a fault of the disk")
        return found

    @staticmethod
    def key(description: Mapping[str, str]) -> str:
        """The name of an entry."""
        return hashlib.sha256(json.dumps(dict(description), sort_keys=True).encode()).hexdigest()[:32]

    def _open(self, key: str) -> Features | None:
        """The entry if it is there; a damaged one is removed."""
        entry = self.folder / key
        if not entry.is_dir():
            return None
        try:
            sums = read_json(entry / _ENTRY, "entry of the feature store")["sha256"]
            if all(file_sha256(entry / name) == sums[name] for name in (_ROWS, _OWNERS)):
                return Features(np.load(entry / _ROWS, mmap_mode="r"), np.load(entry / _OWNERS))
        except (UsageError, KeyError, TypeError, OSError, ValueError):
            pass
        shutil.rmtree(entry, ignore_errors=True)
        return None

    def _write(self, key: str, description: Mapping[str, str], count: int, compute: Compute, title: str) -> None:
        parts = self.folder / f"{key}.parts"
        parts.mkdir(exist_ok=True)
        files: list[Path] = []
        shapes: set[int] = set()
        owners: list[npt.NDArray[np.int64]] = []
        starts = range(0, count, self._items)
        for start in track(starts, title, total=len(starts)):
            file = parts / f"{start:012d}.npz"
            part = _read_part(file)
            if part is None:
                part = compute(start, min(start + self._items, count))
                write_atomic(file, npz_bytes(rows=part.rows.astype(np.float32), owners=part.owners))
            files.append(file)
            shapes.add(part.rows.shape[1])
            owners.append(part.owners)
        if len(shapes) != 1:
            raise OnePaperError(f"{title} of widths {sorted(shapes)}; expected rows of one width")
        self._assemble(key, description, files, np.concatenate(owners), shapes.pop())
        shutil.rmtree(parts, ignore_errors=True)

    def _assemble(
        self,
        key: str,
        description: Mapping[str, str],
        files: list[Path],
        owners: npt.NDArray[np.int64],
        width: int,
    ) -> None:
        """One file of the parts, in a folder that is renamed when it is complete."""
        made = self.folder / f"{key}.tmp"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        try:
            with (made / _ROWS).open("wb") as file:
                header = {"descr": "<f4", "fortran_order": False, "shape": (len(owners), width)}
                npy.write_array_header_1_0(file, header)
                for part in files:
                    file.write(read_npz(part)["rows"].astype("<f4").tobytes())
                file.flush()
                os.fsync(file.fileno())
            np.save(made / _OWNERS, owners)
            sums = {name: file_sha256(made / name) for name in (_ROWS, _OWNERS)}
            write_atomic(made / _ENTRY, json.dumps({"of": dict(description), "sha256": sums}, indent=1) + "\n")
            made.rename(self.folder / key)
        except OSError as error:
            raise OnePaperError(f"cannot write {made}: {error.strerror}; free space there") from None
        sync_folder(self.folder)


def _read_part(file: Path) -> Features | None:
    """A finished part; None if it is missing or damaged."""
    try:
        arrays = read_npz(file)
        return Features(arrays["rows"], arrays["owners"])
    except (UsageError, KeyError):
        return None
