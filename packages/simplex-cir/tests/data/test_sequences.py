import numpy as np
import pytest
from onepaper.errors import UsageError

from simplex_cir.config import LETTERS
from simplex_cir.data.dataset import decode, empirical_distribution
from simplex_cir.data.sequences import (
    binary_digits,
    book,
    book_letters,
    normalise,
    read_text,
    splice_counts,
    splice_sites,
    text_windows,
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
    sequences, shares = empirical_distribution(every)
    assert decode(sequences[[shares.argmax()]], data.symbols) == ["CAGGUGAGU"]


def test_book() -> None:
    text = book()
    assert text.startswith("in the beginning god created the heaven and the earth")
    assert set(text) == set(LETTERS)
    assert "  " not in text
    data = book_letters(32)
    assert data.train.shape[1] == 32
    assert "".join(decode(data.train[[0, 2]], LETTERS)) == text[:64]
    assert text.endswith("".join(decode(data.test, LETTERS))[-32:]) or len(text) % 32


def test_windows_do_not_cross_parts() -> None:
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


def test_digits_have_labels() -> None:
    data = binary_digits()
    assert data.train.shape == (1437, 64)
    assert data.labels is not None
    assert [len(part) for part in data.labels] == [1437, 180, 180]
    assert set(np.unique(data.train)) == {0, 1}
