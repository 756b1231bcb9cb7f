"""Arms: results of expensive units of work (a training run), kept as files so that they are computed once."""

import contextlib
import io
import logging
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from onepaper.claims.evidence import ArmResult
from onepaper.errors import UsageError
from onepaper.runs import write_atomic

# Prefixed, so that no name of a paper meets an argument of numpy's.
_SECONDS, _VALUE = "seconds", "value/"


def plain_arm(name: str, result: Any) -> ArmResult:
    """Floats and arrays as they come back from a file, so that a resumed run sees what a fresh one sees."""
    if not isinstance(result, Mapping):
        raise UsageError(f"arm '{name}' returned {type(result).__name__}, expected a dictionary of floats and arrays")
    plain: ArmResult = {}
    for key, value in result.items():
        if not isinstance(value, bool | int | float | np.generic | np.ndarray):
            raise UsageError(f"arm '{name}': '{key}' is {type(value).__name__}, expected a float or numpy array")
        array = np.asarray(value)
        if array.dtype.kind not in "biufc":
            raise UsageError(f"arm '{name}': '{key}' holds {array.dtype}, expected numbers")
        plain[key] = array.item() if array.ndim == 0 else array
    return plain


def write_arm(path: Path, result: ArmResult, seconds: float) -> None:
    """Write a result with the seconds that it took, atomically."""
    content = io.BytesIO()
    np.savez(content, **{_SECONDS: seconds}, **{_VALUE + name: value for name, value in result.items()})
    write_atomic(path, content.getvalue())


def read_arm(path: Path) -> tuple[ArmResult, float] | None:
    """A stored arm; None where there is none or the file is damaged (detected by the archive's checksums)."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            stored = {name: archive[name] for name in archive.files}
        seconds = float(stored.pop(_SECONDS))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        logging.getLogger(__name__).warning("%s is damaged (%s); computing it again", path, error)
        return None
    result = {name.removeprefix(_VALUE): value for name, value in stored.items()}
    return {name: value.item() if value.ndim == 0 else value for name, value in result.items()}, seconds


@contextlib.contextmanager
def arm_lock(path: Path) -> Iterator[None]:
    """Held while an arm is computed: another process of the same run waits for it instead of computing it too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        yield
