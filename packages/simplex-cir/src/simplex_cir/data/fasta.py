"""A user's FASTA file as windows of tokens."""

import itertools
from pathlib import Path

import numpy as np
from onepaper.config import check_positive
from onepaper.errors import UsageError
from onepaper.fingerprint.marks import unmeasured
from onepaper.text import read_text

from simplex_cir.data.dataset import SPLIT_SEED, Dataset, encode, split


@unmeasured
def read_fasta(path: Path, length: int, symbols: str = "ACGT") -> Dataset:
    """Windows of a user's FASTA file; windows with other symbols than `symbols` are omitted.

    For nucleotides U is read as T, or T as U where `symbols` has U. Protein letters are read as they are.

    Raises:
        UsageError: no such file, not FASTA, or fewer than 10 windows of these symbols.
    """
    check_positive("length", length)
    lines = read_text(path).splitlines()
    if not any(line.startswith(">") for line in lines):
        raise UsageError(f"{path} has no line that starts with '>', expected a FASTA file")
    windows = []
    for header, group in itertools.groupby(lines, key=lambda line: line.startswith(">")):
        if not header:
            sequence = "".join(group).upper()
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
    return split(tokens[np.random.default_rng(SPLIT_SEED).permutation(len(tokens))], symbols)
