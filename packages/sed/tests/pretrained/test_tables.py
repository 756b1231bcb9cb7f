"""Tables of other people: formats, and files that are refused."""

import logging
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz
from safetensors.numpy import save_file

from sed.pretrained.tables import read_table

NAMES = ("<pad>", "a", "b", "c", "\u2581the", "\n")
TABLE = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


def test_formats(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", TABLE.astype(np.float64))
    np.savez(tmp_path / "a.npz", table=TABLE, other=TABLE[:2])
    save_file({"table": TABLE.astype(ml_dtypes.bfloat16)}, tmp_path / "a.safetensors")
    np.testing.assert_allclose(read_table(tmp_path / "a.npy", NAMES), TABLE, rtol=1e-6)
    np.testing.assert_array_equal(read_table(tmp_path / "a.npz", NAMES, "table"), TABLE)
    np.testing.assert_allclose(read_table(tmp_path / "a.safetensors", NAMES), TABLE, rtol=1e-2)


def test_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", table=TABLE, other=TABLE)
    np.save(tmp_path / "line.npy", TABLE[0])
    np.save(tmp_path / "two.npy", TABLE[:2])
    np.save(tmp_path / "words.npy", np.array([["a", "b"]]))
    (tmp_path / "a.safetensors").write_bytes(b"\x10" * 40)
    for name, key, message in (
        ("a.npz", "", "no array '', expected one of other, table"),
        ("a.npz", "tables", "no array 'tables'"),
        ("line.npy", "", "expected a table of numbers"),
        ("words.npy", "", "words.npy"),
        ("a.safetensors", "", "no safetensors file"),
        ("none.safetensors", "", "does not exist"),
        ("none.npy", "", "does not exist"),
        ("none.txt", "", "cannot be read"),
        ("table.csv", "", "ends in '.csv'"),
        ("two.npy", "", "has 2 rows, expected 6"),
    ):
        with pytest.raises(UsageError, match=message):
            read_table(tmp_path / name, NAMES, key)


@pytest.mark.parametrize("header", ["5 3\n", ""])
def test_names_in_any_order(header: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With the first line of word2vec, and without it as by GloVe; other words are ignored."""
    path = tmp_path / "a.vec"
    path.write_text(header + "c 1 2 3 \nother 9 9\n\u2581the -1 0.5 2e0\nb 0 0 1\na 4 5 6\n", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        table = read_table(path, NAMES)
    np.testing.assert_array_equal(table[1:5], [[4, 5, 6], [0, 0, 1], [1, 2, 3], [-1, 0.5, 2]])
    assert "lacks 2 of the 6 tokens" in caplog.text
    assert np.abs(table[[0, 5]]).min() > 0
    assert np.abs(table[[0, 5]]).max() < 4 * table[1:5].std()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a 1 2\nb 1 x\n", "line 2 has words that are no numbers"),
        ("a 1 2\nb 1 inf\n", "line 2 has numbers that are not finite"),
        ("a 1 2\nb 1\n", "line 2 has 1 numbers for 'b', expected 2"),
        ("a 1 2\na 1 2\n", "line 2 has 2 numbers for 'a', expected 2 and each token once"),
        ("a 1 2\nb 1 2\nz 1 2\n", "lacks 4 of the 6 tokens"),
        ("", "lacks 6 of the 6 tokens"),
    ],
)
def test_refused_texts(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(UsageError, match=message):
        read_table(tmp_path / "a.txt", NAMES)


@pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files(count: int, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", TABLE)
    np.savez(tmp_path / "a.npz", table=TABLE)
    save_file({"table": TABLE}, tmp_path / "a.safetensors")
    lines = [" ".join([name, *map(str, row)]) for name, row in zip(NAMES[:5], TABLE, strict=False)]
    (tmp_path / "a.txt").write_text("5 4\n" + "\n".join(lines) + "\n", encoding="utf-8")
    for suffix in ("npy", "npz", "safetensors", "txt"):
        valid = (tmp_path / f"a.{suffix}").read_bytes()
        found = fuzz(lambda path: read_table(path, NAMES), tmp_path / f"b.{suffix}", [valid], count)
        assert all(isinstance(one, str) or one.shape[0] == len(NAMES) for one in found)
