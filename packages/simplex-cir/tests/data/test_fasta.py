import gzip
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from simplex_cir.data import fasta
from simplex_cir.data.dataset import decode
from simplex_cir.data.fasta import read_fasta
from simplex_cir.data.sequences import (
    read_text,
)


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


def test_compressed(tmp_path: Path, monkeypatch) -> None:
    text = ">one\n" + "ACGT" * 40
    plain, packed = tmp_path / "x.fa", tmp_path / "x.fa.gz"
    plain.write_text(text)
    packed.write_bytes(gzip.compress(text.encode()))
    np.testing.assert_array_equal(read_fasta(packed, 8).train, read_fasta(plain, 8).train)
    whole = packed.read_bytes()
    for damaged in (whole[:-9], whole[:20] + b"\xff" + whole[21:], gzip.compress(b">one\n\xff\xfe")):
        packed.write_bytes(damaged)
        with pytest.raises(UsageError, match=f"{packed} is no readable FASTA text"):
            read_fasta(packed, 8)
    packed.write_bytes(gzip.compress(b">bomb\n" + bytes(1 << 21)))
    monkeypatch.setattr(fasta, "MAX_CHARACTERS", 1 << 20)
    with pytest.raises(UsageError, match=r"has more than 1 MiB of text when decompressed"):
        read_fasta(packed, 8)


def test_only_whole_sequences_are_aligned(tmp_path: Path) -> None:
    file = tmp_path / "x.fa"
    file.write_text(">a\nACGT\n" * 20)
    assert read_fasta(file, 4).aligned
    assert not read_fasta(file, 2).aligned


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files(tmp_path: Path, count: int) -> None:
    plain = b">one\n" + b"ACGT" * 20 + b"\n>two\n" + b"acgu" * 20 + b"\n"
    for name, content in (("a.fa", plain), ("a.fa.gz", gzip.compress(plain))):
        found = fuzz(lambda path: read_fasta(path, 4), tmp_path / name, [content], count)
        assert any(not isinstance(data, str) for data in found)
    fuzz(lambda path: read_text(path, 4), tmp_path / "a.txt", [b"some words of a text, " * 9], count)
