"""A user's FASTA file as windows of tokens."""

import gzip
import itertools
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from onepaper.config import check_positive
from onepaper.errors import UsageError
from onepaper.fingerprint.marks import unmeasured
from onepaper.text import read_text

from simplex_cir.data.dataset import SPLIT_SEED, Dataset, encode, split

GZIP_MAGIC = b"\x1f\x8b"

# Bytes decompressed at a time.
PIECE = 1 << 20
# Largest text of a compressed file: a small file may expand a thousandfold.
MAX_CHARACTERS = 1 << 29


@unmeasured
def read_fasta(path: Path, length: int, symbols: str = "ACGT") -> Dataset:
    """Windows of a user's FASTA file, plain or compressed by gzip; those with other symbols than `symbols` are omitted.

    For nucleotides U is read as T, or T as U where `symbols` has U. Protein letters are read as they are. Windows are
    aligned where every sequence of the file is one window.

    Raises:
        UsageError: no such file, damaged or too large when decompressed, not FASTA, or fewer than 10 windows of these
            symbols.
    """
    check_positive("length", length)
    lines = _read_lines(path)
    if not any(line.startswith(">") for line in lines):
        raise UsageError(f"{path} has no line that starts with '>', expected a FASTA file")
    windows, aligned = [], True
    for header, group in itertools.groupby(lines, key=lambda line: line.startswith(">")):
        if not header:
            sequence = "".join(group).upper()
            aligned &= len(sequence) == length
            if set(symbols) <= set("ACGTUN"):
                sequence = sequence.replace("U", "T") if "T" in symbols else sequence.replace("T", "U")
            windows += [sequence[start : start + length] for start in range(0, len(sequence) - length + 1, length)]
    clean = [window for window in windows if set(window) <= set(symbols)]
    if len(clean) < 10:
        raise UsageError(
            f"{path} has {len(clean)} windows of {length} symbols of '{symbols}', expected at least 10; give shorter "
            "windows or the symbols of the file"
        )
    tokens = encode(clean, symbols)
    parts = split(tokens[np.random.default_rng(SPLIT_SEED).permutation(len(tokens))], symbols)
    return replace(parts, aligned=aligned)


def _read_lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            compressed = file.read(2) == GZIP_MAGIC
    except OSError:
        compressed = False  # read_text says what is wrong
    if not compressed:
        return read_text(path).splitlines()
    try:
        content = bytearray()
        with gzip.open(path) as file:
            while len(content) <= MAX_CHARACTERS and (more := file.read(PIECE)):
                content += more
        if len(content) > MAX_CHARACTERS:
            raise UsageError(
                f"{path} has more than {MAX_CHARACTERS >> 20} MiB of text when decompressed, expected at most that; "
                "give a part of it"
            )
        return content.decode("ascii").splitlines()
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no readable FASTA text compressed by gzip ({error})") from None
