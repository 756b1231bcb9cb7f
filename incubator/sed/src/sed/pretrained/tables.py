"""Tables of embeddings of other people, a row for each token in the order of their ids."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from onepaper.errors import UsageError
from onepaper.foreign.arrays import read_npy, read_npz

Table = Float[np.ndarray, "vocab width"]


def read_table(path: Path, key: str = "") -> Table:
    """The table of an npy, npz or safetensors file, as it is in the file (see `import_table` for its use).

    Args:
        path: the file.
        key: name of the array in an npz or safetensors file; empty: the only one.

    Raises:
        UsageError: no such file or array, a damaged file, or an array that is no table of numbers.
    """
    readers: dict[str, Callable[[Path], Mapping[str, Any]]] = {
        ".npy": lambda path: {"": read_npy(path)},
        ".npz": read_npz,
        ".safetensors": _read_safetensors,
    }
    if path.suffix not in readers:
        raise UsageError(f"{path} ends in '{path.suffix}', expected a table in a file {', '.join(readers)}")
    arrays = readers[path.suffix](path)
    if key not in arrays and (key or len(arrays) != 1):
        names = ", ".join(sorted(arrays)[:8])
        raise UsageError(f"{path} has no array '{key}', expected one of {names}; give --embeddings.key")
    table = np.asarray(arrays[key] if key in arrays else next(iter(arrays.values())))
    if table.ndim != 2 or not table.size or table.dtype.kind not in "fiu":
        raise UsageError(f"{path} has {table.dtype} of the shape {table.shape}, expected a table of numbers")
    return table.astype(np.float32)


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    from safetensors import SafetensorError
    from safetensors.flax import load_file

    if not path.is_file():
        raise UsageError(f"{path} does not exist, expected a .safetensors file")
    try:
        # Types that numpy lacks, such as bfloat16, become float32.
        return {name: np.asarray(array.astype("float32")) for name, array in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{path} is damaged or no safetensors file ({error})") from None
