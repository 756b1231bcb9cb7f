"""Tables of embeddings of other people: a row for each token, in the order of their ids or by name."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from onepaper.errors import UsageError
from onepaper.foreign.arrays import read_npy, read_npz

Table = Float[np.ndarray, "vocab width"]

# Endings of files with a row for each name.
TEXT_ENDINGS = (".txt", ".vec")

LONGEST_LIST = 8


def read_table(path: Path, names: Sequence[str], key: str = "") -> Table:
    """The table of a file, as it is in the file (see `import_table` for its use).

    An npy, npz or safetensors file has a row for each token in the order of their ids; a text file in the format of
    word2vec or GloVe has a name and numbers in each line, in any order.

    Args:
        path: the file.
        names: of all tokens, see `TextCodec.names`.
        key: name of the array in an npz or safetensors file; empty: the only one.

    Raises:
        UsageError: no such file or array, a damaged file, an array that is no table of numbers, or another number of
            rows than tokens.
    """
    table = _read_text(path, names) if path.suffix in TEXT_ENDINGS else _read_array(path, key)
    if len(table) != len(names):
        raise UsageError(f"{path} has {len(table)} rows, expected {len(names)}, one for each token")
    return table


def _read_array(path: Path, key: str) -> Table:
    readers: dict[str, Callable[[Path], Mapping[str, Any]]] = {
        ".npy": lambda path: {"": read_npy(path)},
        ".npz": read_npz,
        ".safetensors": _read_safetensors,
    }
    if path.suffix not in readers:
        endings = ", ".join((*readers, *TEXT_ENDINGS))
        raise UsageError(f"{path} ends in '{path.suffix}', expected a table in a file {endings}")
    arrays = readers[path.suffix](path)
    if key not in arrays and (key or len(arrays) != 1):
        found = ", ".join(sorted(arrays)[:LONGEST_LIST])
        raise UsageError(f"{path} has no array '{key}', expected one of {found}; give --embeddings.key")
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


def _read_text(path: Path, names: Sequence[str]) -> Table:
    """Rows by name. Tokens that the file lacks, such as bytes and padding, are random, in the scale of the others."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}); give a UTF-8 file of names and numbers") from None
    # The first line of word2vec has the numbers of rows and columns; GloVe has none.
    skipped = int(len(lines[0].split()) == 2)
    ids = {name: number for number, name in enumerate(names)}
    rows: dict[int, Float[np.ndarray, " width"]] = {}
    width = 0
    for number, line in enumerate(lines[skipped:], skipped + 1):
        name, *words = line.rstrip().split(" ")
        if name not in ids:
            continue
        try:
            row = np.array(words, np.float32)
        except ValueError:
            raise UsageError(
                f"{path}: line {number} has words that are no numbers, expected a name and numbers"
            ) from None
        if not np.isfinite(row).all():
            raise UsageError(f"{path}: line {number} has numbers that are not finite; give another table")
        width = width or len(row)
        if not len(row) or len(row) != width or ids[name] in rows:
            raise UsageError(
                f"{path}: line {number} has {len(row)} numbers for '{name}', expected {width or 'some'} and each token "
                "once"
            )
        rows[ids[name]] = row
    lacking = [name for name, number in ids.items() if number not in rows]
    if 2 * len(lacking) > len(names):
        some = " ".join(map(ascii, lacking[-LONGEST_LIST:]))
        raise UsageError(
            f"{path} lacks {len(lacking)} of the {len(names)} tokens ({some}), expected at "
            "least half of them, by their names, with U+2581 for a space"
        )
    if lacking:
        logging.getLogger(__name__).warning(
            "%s lacks %d of the %d tokens, whose rows are random", path, len(lacking), len(names)
        )
    scale = np.std(list(rows.values()))
    table = scale * np.random.default_rng(0).standard_normal((len(names), width), np.float32)
    for number, row in rows.items():
        table[number] = row
    return table
