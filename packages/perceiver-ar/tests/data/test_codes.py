import re
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from perceiver_ar.config import EOS, SOS, DataConfig
from perceiver_ar.data.codes import CodesCodec, read_codes, user_codes


def test_codes_come_back_and_each_codebook_has_its_turn() -> None:
    codec = CodesCodec(3, 10)
    codes = np.random.default_rng(0).integers(0, 10, (7, 3))
    tokens = codec.encode(codes)
    assert (tokens[0], tokens[-1], codec.vocab_size) == (SOS, EOS, 33)
    np.testing.assert_array_equal(codec.decode(tokens), codes)
    np.testing.assert_array_equal(codec.decode(tokens[:-3]), codes[:-1])
    for place, token in enumerate(tokens[1:-1]):
        assert codec.allowed[place % 3, token]
        assert codec.allowed[:, token].sum() == 1
    assert codec.measure(tokens) == {"frames": 7.0}


def test_files_and_cuts_in_time(tmp_path: Path) -> None:
    codes = np.random.default_rng(1).integers(0, 8, (100, 2))
    np.save(tmp_path / "one.npy", codes)
    config = DataConfig("codes", tmp_path / "one.npy", codebook_size=8)
    corpus = user_codes(config)
    parts = [corpus.codec.decode(part[0]) for part in (corpus.train, corpus.validation, corpus.test)]
    assert [len(part) for part in parts] == [80, 10, 10]
    np.testing.assert_array_equal(np.concatenate(parts), codes)
    np.save(tmp_path / "two.npy", codes.astype(np.uint16))
    corpus = user_codes(DataConfig("codes", tmp_path, codebook_size=8))
    assert [len(part) for part in (corpus.train, corpus.validation, corpus.test)] == [2, 2, 2]
    assert corpus.train[0].dtype == np.int32


def save(folder: Path, numbers: range) -> None:
    """Files whose only code is their own number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        np.save(folder / f"{number:02}.npy", np.full((2, 3), number))


def read(path: Path) -> list[list[int]]:
    corpus = user_codes(DataConfig("codes", path, codebook_size=32))
    return [[int(part[n][1]) - 3 for n in range(len(part))] for part in (corpus.train, corpus.validation, corpus.test)]


def test_files_are_dealt_out(tmp_path: Path) -> None:
    save(tmp_path, range(20))
    parts = read(tmp_path)
    assert [len(part) for part in parts] == [16, 2, 2]
    assert sorted(number for part in parts for number in part) == list(range(20))
    assert parts[0] != sorted(parts[0])
    assert parts == read(tmp_path)


def test_own_parts_are_kept(tmp_path: Path) -> None:
    save(tmp_path / "train", range(4))
    save(tmp_path / "validation", range(4, 5))
    (tmp_path / "test").mkdir()
    with pytest.raises(UsageError, match="test holds no .npy files"):
        read(tmp_path)
    save(tmp_path / "test", range(5, 7))
    assert read(tmp_path) == [[0, 1, 2, 3], [4], [5, 6]]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 2)), "expected integers of shape (frames, codebooks)"),
        (np.zeros(3, int), "expected integers of shape (frames, codebooks)"),
        (np.full((20, 2), 9), "bad.npy: codes go from 9 to 9, expected 0 to 7"),
    ],
)
def test_bad_arrays_raise_one_line(array: np.ndarray, message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(UsageError, match=re.escape(message)):
        user_codes(DataConfig("codes", tmp_path / "bad.npy", codebook_size=8))
    with pytest.raises(UsageError, match=re.escape("expected (frames, 3)")):
        CodesCodec(3, 8).encode(np.zeros((4, 2), int))


def test_bad_files_raise_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no .npy files"):
        user_codes(DataConfig("codes", tmp_path))
    for number, codebooks in enumerate((2, 3)):
        np.save(tmp_path / f"{number}.npy", np.zeros((20, codebooks), int))
    with pytest.raises(UsageError, match=re.escape("1.npy: codes have shape (20, 3), expected (frames, 2)")):
        user_codes(DataConfig("codes", tmp_path))
    (tmp_path / "bad.npy").write_text("no")
    with pytest.raises(UsageError, match="bad.npy is damaged"):
        user_codes(DataConfig("codes", tmp_path))


def test_codes_in_the_other_order_are_recognised(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((8, 300), int))
    with pytest.raises(UsageError, match=re.escape("must be transposed: numpy.save(path, codes.T)")):
        user_codes(DataConfig("codes", tmp_path / "a.npy"))


def test_a_header_that_the_file_does_not_keep_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<i8", "fortran_order": False, "shape": (2**40, 2)})
    with pytest.raises(UsageError, match="an array of shape"):
        read_codes(path)


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files(tmp_path: Path, count: int) -> None:
    np.save(tmp_path / "a.npy", np.arange(12).reshape(6, 2) % 8)
    valid = (tmp_path / "a.npy").read_bytes()
    fuzz(lambda path: CodesCodec(2, 8).encode_file(path), tmp_path / "a.npy", [valid], count)
