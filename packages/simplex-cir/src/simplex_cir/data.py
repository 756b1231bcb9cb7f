"""Real categorical data: splice sites, letters of a book, digits, Sudoku grids, users' own text and FASTA files.

Everything is tokens: integers [count, positions] below the number of symbols. See DATA.md for where the data come from.
"""

import itertools
import lzma
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from onepaper.config import check_positive
from onepaper.data import embedded
from onepaper.errors import UsageError

from simplex_cir.config import LETTERS, NUCLEOTIDES

Tokens = Int[np.ndarray, "count positions"]

# Of the splice sites' occurrences and the digits: shares to learn from and to validate on; the rest is for the test.
TRAIN_SHARE, VALIDATION_SHARE = 0.8, 0.1
# The last characters of the book, split evenly, are for validation and test.
HELD_OUT_CHARACTERS = 400_000
# Splits are the same for everyone.
SPLIT_SEED = 0


@dataclass(frozen=True, eq=False)
class Dataset:
    """Tokens in three parts.

    Attributes:
        symbols: what each token stands for, e.g. "ACGU".
        train: [count, positions].
        validation: for decisions.
        test: for reports.
        labels: the class of every sequence, for each part; None where there are none.
    """

    symbols: str
    train: Int[np.ndarray, "train positions"]
    validation: Int[np.ndarray, "validation positions"]
    test: Int[np.ndarray, "test positions"]
    labels: tuple[Int[np.ndarray, " _"], ...] | None = None

    @property
    def num_categories(self) -> int:
        """n."""
        return len(self.symbols)

    @property
    def positions(self) -> int:
        """Length of a sequence."""
        return self.train.shape[1]


@lru_cache(maxsize=1)
def splice_counts() -> Mapping[str, int]:
    """Human 5' splice sites of the form NNNGYNNNN -> how often each occurs in the genome."""
    lines = embedded("simplex_cir", "splice_sites.tsv").read_text(encoding="ascii").splitlines()[1:]
    return {sequence: int(count) for sequence, count in (line.split("\t") for line in lines)}


@lru_cache(maxsize=1)
def splice_sites() -> Dataset:
    """Occurrences of splice sites, 9 nucleotides each, split at random."""
    counts = splice_counts()
    distinct = encode(list(counts), NUCLEOTIDES)
    occurrences = np.repeat(np.arange(len(distinct)), list(counts.values()))
    return _split(distinct[np.random.default_rng(SPLIT_SEED).permutation(occurrences)], NUCLEOTIDES)


def empirical_law(
    tokens: Tokens,
) -> tuple[Int[np.ndarray, "distinct positions"], Float[np.ndarray, " distinct"]]:
    """The distinct sequences and the share of each."""
    distinct, counts = np.unique(tokens, axis=0, return_counts=True)
    return distinct, counts / counts.sum()


def entropy(tokens: Tokens) -> float:
    """Of the empirical law of whole sequences, nats."""
    _, shares = empirical_law(tokens)
    return float(-(shares * np.log(shares)).sum())


@lru_cache(maxsize=1)
def book() -> str:
    """The King James Bible in 27 symbols: lower-case letters and single spaces."""
    return lzma.decompress(embedded("simplex_cir", "book.txt.xz").read_bytes()).decode("ascii")


def book_letters(length: int = 32) -> Dataset:
    """Windows of the book's letters; those to learn from overlap by half, the others not at all."""
    return text_windows(book(), length, HELD_OUT_CHARACTERS)


def text_windows(text: str, length: int, held_out: int, name: str = "text") -> Dataset:
    """Windows of a text in the 27 symbols of `normalise`; its end is held out.

    Args:
        text: letters and single spaces.
        length: of a window.
        held_out: characters for validation and test together.
        name: of the text, for errors.

    Raises:
        UsageError: a text too short for a window in each part.
    """
    check_positive("length", length)
    tokens = encode([text], LETTERS)[0] if text else np.zeros(0, np.int64)
    parts = np.split(tokens, [len(tokens) - held_out, len(tokens) - held_out // 2]) if len(tokens) > held_out else []
    if not parts or min(map(len, parts)) < length:
        raise UsageError(
            f"{name} has {len(tokens)} letters, expected more than {held_out + length}: {held_out} are held out and "
            f"every part needs a window of {length}; give a longer text or ask for shorter windows"
        )
    train = np.lib.stride_tricks.sliding_window_view(parts[0], length)[:: max(length // 2, 1)]
    validation, test = (part[: len(part) // length * length].reshape(-1, length) for part in parts[1:])
    return Dataset(LETTERS, np.ascontiguousarray(train), validation, test)


def normalise(text: str) -> str:
    """Any text in 27 symbols: lower case, everything but a to z becomes a space, runs of spaces one."""
    kept = (character if "a" <= character <= "z" else " " for character in text.lower())
    return " ".join("".join(kept).split())


def read_text(path: Path, length: int) -> Dataset:
    """A user's text file as windows of letters, a tenth held out.

    Raises:
        UsageError: no such file, not text, or too short.
    """
    text = normalise(_read(path))
    return text_windows(text, length, held_out=max(len(text) // 10, 2 * length), name=str(path))


def read_fasta(path: Path, length: int, symbols: str = "ACGT") -> Dataset:
    """Windows of a user's FASTA file; windows with other symbols than these are left out.

    Of nucleotides U is read as T, or T as U where the symbols have that. Letters of proteins are as they stand.

    Raises:
        UsageError: no such file, not FASTA, or no clean window.
    """
    check_positive("length", length)
    lines = _read(path).splitlines()
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
    return _split(tokens[np.random.default_rng(SPLIT_SEED).permutation(len(tokens))], symbols)


@lru_cache(maxsize=1)
def binary_digits() -> Dataset:
    """Handwritten digits of 8 x 8 pixels, black where more than half of the ink is there; two symbols."""
    from sklearn.datasets import load_digits

    pixels, labels = (np.asarray(values) for values in load_digits(return_X_y=True))
    order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
    parts = _split((pixels >= 8).astype(np.int64)[order], ".#")
    return replace(parts, labels=tuple(np.split(labels[order], _ends(len(labels)))))


@lru_cache(maxsize=1)
def small_sudokus() -> Tokens:
    """All 288 valid 4 x 4 grids, row by row."""
    rows = np.array(list(itertools.permutations(range(4))))
    grids = rows[np.array(list(itertools.product(range(24), repeat=4)))]
    return grids[valid_sudokus(grids.reshape(-1, 16))].reshape(-1, 16)


def sudokus(count: int, generator: np.random.Generator, *, relatives: int = 16) -> Tokens:
    """Valid 9 x 9 grids, row by row: filled at random by backtracking, then permuted without becoming invalid.

    Args:
        count: number of grids.
        generator: all randomness.
        relatives: grids made of each filled one, by renaming digits, exchanging rows and columns within their bands,
            bands, and the axes; 1 fills every grid anew, which takes longer.
    """
    check_positive("count", count)
    check_positive("relatives", relatives)
    grids = np.empty((count, 81), dtype=np.int64)
    filled = np.empty((9, 9), dtype=np.int64)
    for index in range(count):
        if index % relatives == 0:
            filled = _filled_sudoku(generator)
        rows, columns = (
            np.concatenate([3 * band + generator.permutation(3) for band in generator.permutation(3)]) for _ in range(2)
        )
        grid = generator.permutation(9)[filled][rows][:, columns]
        grids[index] = (grid.T if generator.random() < 0.5 else grid).ravel()
    return grids


def _filled_sudoku(generator: np.random.Generator) -> Int[np.ndarray, "9 9"]:
    """One valid grid: cells with fewest possibilities first, digits in random order, backtracking from dead ends."""
    grid = np.full((9, 9), -1, dtype=np.int64)
    free = {"row": [511] * 9, "column": [511] * 9, "box": [511] * 9}
    empty = [(row, column) for row in range(9) for column in range(9)]

    def options(cell: tuple[int, int]) -> int:
        row, column = cell
        return free["row"][row] & free["column"][column] & free["box"][row // 3 * 3 + column // 3]

    def toggle(cell: tuple[int, int], bit: int) -> None:
        row, column = cell
        free["row"][row] ^= bit
        free["column"][column] ^= bit
        free["box"][row // 3 * 3 + column // 3] ^= bit

    def fill() -> bool:
        if not empty:
            return True
        cell = min(empty, key=lambda cell: options(cell).bit_count())
        possible = [digit for digit in range(9) if options(cell) >> digit & 1]
        empty.remove(cell)
        for digit in generator.permutation(possible) if possible else ():
            toggle(cell, 1 << int(digit))
            grid[cell] = digit
            if fill():
                return True
            toggle(cell, 1 << int(digit))
        empty.append(cell)
        return False

    fill()
    return grid


def valid_sudokus(tokens: Tokens) -> np.ndarray:
    """Whether every row, column and box of each grid has every symbol once."""
    return satisfied_constraints(tokens) == 1.0


def satisfied_constraints(tokens: Tokens) -> Float[np.ndarray, " count"]:
    """Share of rows, columns and boxes in which no symbol repeats, for each grid.

    Raises:
        UsageError: rows that are no square grid of square boxes.
    """
    side = round(tokens.shape[1] ** 0.5)
    box = round(side**0.5)
    if side**2 != tokens.shape[1] or box**2 != side:
        raise UsageError(f"grids have {tokens.shape[1]} cells, expected 16 or 81")
    grids = np.asarray(tokens).reshape(-1, side, side)
    boxes = grids.reshape(-1, box, box, box, box).transpose(0, 1, 3, 2, 4).reshape(-1, side, side)
    units = np.concatenate([grids, grids.transpose(0, 2, 1), boxes], axis=1)
    return (np.sort(units, axis=2) == np.arange(side)).all(axis=2).mean(axis=1)


def encode(texts: list[str], symbols: str) -> Tokens:
    """Tokens of texts of equal length.

    Raises:
        UsageError: unequal lengths, or a symbol that is not in `symbols`.
    """
    lengths = sorted({len(text) for text in texts})
    if len(lengths) != 1:
        raise UsageError(f"texts have lengths {lengths[:5]}, expected equal ones")
    unknown = sorted(set("".join(texts)) - set(symbols))
    if unknown:
        raise UsageError(f"text has the symbols {''.join(unknown[:10])!r}, expected only those of {symbols!r}")
    lookup = np.zeros(max(map(ord, symbols)) + 1, dtype=np.int64)
    lookup[[ord(symbol) for symbol in symbols]] = np.arange(len(symbols))
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    return lookup[codes].reshape(len(texts), lengths[0])


def decode(tokens: Tokens, symbols: str) -> list[str]:
    """Tokens as texts."""
    return ["".join(symbols[token] for token in row) for row in np.asarray(tokens)]


def _split(tokens: Tokens, symbols: str) -> Dataset:
    train, validation, test = np.split(tokens, _ends(len(tokens)))
    return Dataset(symbols, train, validation, test)


def _ends(count: int) -> list[int]:
    """Where the first and the second part end."""
    return [int(count * TRAIN_SHARE), int(count * (TRAIN_SHARE + VALIDATION_SHARE))]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist; give the path of a text file") from None
    except (IsADirectoryError, PermissionError) as error:
        raise UsageError(f"{path}: {error.strerror}; give the path of a text file") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start}); convert it first") from None
