from pathlib import Path

import pytest
from onepaper.errors import UsageError

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
