import re
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError

from perceiver_ar.codes import CodesCodec, own_codes
from perceiver_ar.config import EOS, SOS
from perceiver_ar.dataset_options import DataConfig


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
    corpus = own_codes(config)
    parts = [corpus.codec.decode(part[0]) for part in (corpus.train, corpus.validation, corpus.test)]
    assert [len(part) for part in parts] == [80, 10, 10]
    np.testing.assert_array_equal(np.concatenate(parts), codes)
    np.save(tmp_path / "two.npy", codes + 1 - 1)
    np.save(tmp_path / "three.npy", codes)
    corpus = own_codes(DataConfig("codes", tmp_path, codebook_size=8))
    assert [len(part) for part in (corpus.train, corpus.validation, corpus.test)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros((3, 2)), "expected integers of shape (frames, codebooks)"),
        (np.zeros(3, int), "expected integers of shape (frames, codebooks)"),
        (np.full((20, 2), 9), "codes go from 9 to 9, expected 0 to 7"),
    ],
)
def test_bad_arrays_take_a_line(array: np.ndarray, told: str, tmp_path: Path) -> None:
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(UsageError, match=re.escape(told)):
        own_codes(DataConfig("codes", tmp_path / "bad.npy", codebook_size=8))
    with pytest.raises(UsageError, match=re.escape("expected (frames, 3)")):
        CodesCodec(3, 8).encode(np.zeros((4, 2), int))


def test_bad_files_take_a_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no .npy files"):
        own_codes(DataConfig("codes", tmp_path))
    (tmp_path / "bad.npy").write_text("no")
    with pytest.raises(UsageError, match="bad.npy is not a readable .npy file"):
        own_codes(DataConfig("codes", tmp_path))
