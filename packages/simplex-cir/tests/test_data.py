import itertools
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError

from simplex_cir.config import LETTERS
from simplex_cir.data import (
    binary_digits,
    book,
    book_letters,
    decode,
    empirical_law,
    encode,
    entropy,
    normalise,
    read_fasta,
    read_text,
    satisfied_constraints,
    small_sudokus,
    splice_counts,
    splice_sites,
    sudokus,
    text_windows,
    valid_sudokus,
)


def test_splice_sites() -> None:
    counts = splice_counts()
    assert len(counts) == 10_227
    assert counts["CAGGUGAGU"] == 3729
    assert all(site[3] == "G" and site[4] in "CU" and set(site) <= set("ACGU") for site in counts)
    data = splice_sites()
    assert (data.num_categories, data.positions) == (4, 9)
    assert sum(map(len, (data.train, data.validation, data.test))) == sum(counts.values())
    every = np.concatenate([data.train, data.validation, data.test])
    sequences, shares = empirical_law(every)
    assert decode(sequences[[shares.argmax()]], data.symbols) == ["CAGGUGAGU"]


def test_entropy_is_that_of_shares() -> None:
    tokens = np.array([[0, 1]] * 3 + [[1, 1]])
    assert entropy(tokens) == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))


def test_book() -> None:
    text = book()
    assert text.startswith("in the beginning god created the heaven and the earth")
    assert set(text) == set(LETTERS)
    assert "  " not in text
    data = book_letters(32)
    assert data.train.shape[1] == 32
    assert "".join(decode(data.train[[0, 2]], LETTERS)) == text[:64]
    assert text.endswith("".join(decode(data.test, LETTERS))[-32:]) or len(text) % 32


def test_windows_do_not_leak() -> None:
    data = text_windows("ab" * 100 + "cd" * 50, 10, held_out=100)
    assert set("".join(decode(data.train, LETTERS))) == {"a", "b"}
    assert set("".join(decode(data.test, LETTERS))) == {"c", "d"}
    with pytest.raises(UsageError, match="give a longer text"):
        text_windows("abc", 10, held_out=2)


def test_any_text_becomes_27_symbols(tmp_path) -> None:
    assert normalise("Ä Tale, of 2 Cities!\n\n(Ch. I)") == "tale of cities ch i"
    file = tmp_path / "tale.txt"
    file.write_text("It was the best of times; " * 200)
    data = read_text(file, 16)
    assert data.positions == 16
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_text(file, 16)
    with pytest.raises(UsageError, match="does not exist"):
        read_text(tmp_path / "missing.txt", 16)


def test_fasta(tmp_path) -> None:
    file = tmp_path / "x.fa"
    file.write_text(">one\n" + "ACGT" * 20 + "\n" + "acgu" * 20 + "\n>two\n" + "ACGN" * 10 + "\n")
    data = read_fasta(file, 8)
    assert sum(map(len, (data.train, data.validation, data.test))) == 20
    assert set(decode(data.train, "ACGT")) == {"ACGTACGT"}
    file.write_text("ACGT")
    with pytest.raises(UsageError, match="starts with '>'"):
        read_fasta(file, 2)
    file.write_text(">x\nACGT\n")
    with pytest.raises(UsageError, match="at least 10"):
        read_fasta(file, 2)


def test_other_alphabets_of_fasta(tmp_path: Path) -> None:
    file = tmp_path / "x.fa"
    file.write_text(">rna\n" + "ACGUT" * 20)
    assert set(decode(read_fasta(file, 5, "ACGU").train, "ACGU")) == {"ACGUU"}
    amino = "ACDEFGHIKLMNPQRSTVWY"
    file.write_text(">protein\n" + amino * 11 + "\n>with selenocysteine\n" + "U" + amino[1:])
    data = read_fasta(file, 20, amino)
    assert sum(map(len, (data.train, data.validation, data.test))) == 11
    assert set(decode(data.train, amino)) == {amino}
    for read in (read_text, read_fasta):
        file.write_text(">x\n")
        with pytest.raises(UsageError, match=str(file)):
            read(file, 5)


def test_digits_have_labels() -> None:
    data = binary_digits()
    assert data.train.shape == (1437, 64)
    assert data.labels is not None
    assert [len(part) for part in data.labels] == [1437, 180, 180]
    assert set(np.unique(data.train)) == {0, 1}


def is_valid_naively(grid: np.ndarray, side: int, box: int) -> bool:
    units = [grid[i] for i in range(side)] + [grid[:, i] for i in range(side)]
    units += [grid[r : r + box, c : c + box].ravel() for r in range(0, side, box) for c in range(0, side, box)]
    return all(sorted(unit) == list(range(side)) for unit in units)


def test_small_sudokus_are_all_of_them() -> None:
    grids = small_sudokus()
    assert len(np.unique(grids, axis=0)) == 288
    assert all(is_valid_naively(grid.reshape(4, 4), 4, 2) for grid in grids)


def test_sudokus_are_valid_and_different() -> None:
    grids = sudokus(40, np.random.default_rng(0), relatives=4)
    assert all(is_valid_naively(grid.reshape(9, 9), 9, 3) for grid in grids)
    assert len(np.unique(grids, axis=0)) == 40
    assert valid_sudokus(grids).all()
    broken = grids.copy()
    broken[:, 0] = broken[:, 1]
    assert not valid_sudokus(broken).any()
    # a repeated symbol breaks its row, its column or both, and its box
    assert set(np.round(27 * (1 - satisfied_constraints(broken))).astype(int)) <= {2, 3}
    np.testing.assert_array_equal(sudokus(3, np.random.default_rng(1)), sudokus(3, np.random.default_rng(1)))
    with pytest.raises(UsageError, match="16 or 81"):
        valid_sudokus(np.zeros((1, 10), int))


def test_codes() -> None:
    texts = ["".join(letters) for letters in itertools.product("AB", repeat=3)]
    assert decode(encode(texts, "AB"), "AB") == texts
    with pytest.raises(UsageError, match="symbols 'X'"):
        encode(["AX"], "AB")
    with pytest.raises(UsageError, match="lengths"):
        encode(["A", "AB"], "AB")
