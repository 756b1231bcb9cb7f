"""Tables of other people: formats, and files that are refused."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from onepaper.errors import UsageError
from safetensors.numpy import save_file

from sed.pretrained.tables import read_table

TABLE = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


def test_formats(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", TABLE.astype(np.float64))
    np.savez(tmp_path / "a.npz", table=TABLE, other=TABLE[:2])
    save_file({"table": TABLE.astype(ml_dtypes.bfloat16)}, tmp_path / "a.safetensors")
    np.testing.assert_allclose(read_table(tmp_path / "a.npy"), TABLE, rtol=1e-6)
    np.testing.assert_array_equal(read_table(tmp_path / "a.npz", "table"), TABLE)
    np.testing.assert_allclose(read_table(tmp_path / "a.safetensors"), TABLE, rtol=1e-2)


def test_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", table=TABLE, other=TABLE)
    np.save(tmp_path / "line.npy", TABLE[0])
    np.save(tmp_path / "words.npy", np.array([["a", "b"]]))
    (tmp_path / "a.safetensors").write_bytes(b"\x10" * 40)
    for name, key, message in (
        ("a.npz", "", "no array '', expected one of other, table"),
        ("a.npz", "tables", "no array 'tables'"),
        ("line.npy", "", "expected a table of numbers"),
        ("words.npy", "", ""),
        ("a.safetensors", "", "no safetensors file"),
        ("none.safetensors", "", "does not exist"),
        ("none.npy", "", "does not exist"),
        ("table.txt", "", "ends in '.txt'"),
    ):
        with pytest.raises(UsageError, match=message):
            read_table(tmp_path / name, key)


def test_damaged_files_are_one_line_errors(tmp_path: Path) -> None:
    """Flipped and missing bytes give a table or an error of ours, never another one."""
    np.save(tmp_path / "a.npy", TABLE)
    np.savez(tmp_path / "a.npz", table=TABLE)
    save_file({"table": TABLE}, tmp_path / "a.safetensors")
    generator = np.random.default_rng(0)
    for number in range(600):
        source = tmp_path / ("a.npy", "a.npz", "a.safetensors")[number % 3]
        content = bytearray(source.read_bytes())
        if number % 4:
            content[int(generator.integers(len(content)))] ^= 1 << int(generator.integers(8))
        else:
            content = content[: int(generator.integers(len(content)))]
        path = tmp_path / f"b{source.suffix}"
        path.write_bytes(content)
        try:
            assert read_table(path).ndim == 2
        except UsageError as error:
            message = str(error)
        else:
            message = ""
        assert "\n" not in message
