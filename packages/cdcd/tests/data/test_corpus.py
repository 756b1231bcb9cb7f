"""Tokens of the parts, and windows of them."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError

from cdcd.config import DataConfig
from cdcd.data.corpus import Corpus, check_length, held_out_windows, load, saved_codec, to_letters, window_batches


def test_letters(letters: Corpus) -> None:
    assert to_letters("Mr. Speaker--2 of  US!") == "mr. speaker of us "
    assert letters.codec.decode(letters.train[:30]).startswith(" fellow citizens of the senate")
    assert letters.train.max() == 27


def test_pieces_are_learned_without_the_test_part(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    made = ["".join(generator.choice(list("abehlnpy"), 5)) for _ in range(60)]
    text = " ".join([*made, "banana"] * 20)
    words = {"train": text, "validation": f"{text} cherry", "test": "durian " * 400}
    for part, text in words.items():
        (tmp_path / part).mkdir()
        (tmp_path / part / "one.txt").write_text(text)
    corpus = load(DataConfig("text", tmp_path), 290)
    assert len(corpus.codec.encode(" banana")) < len(corpus.codec.encode(" durian")) == len(" durian")
    assert corpus.codec.decode(corpus.test) == f" {words['test']}"
    files = corpus.codec.tokenizer.saved_files()
    again = saved_codec("pieces", files.__getitem__)
    np.testing.assert_array_equal(again.encode("a cherry"), corpus.codec.encode("a cherry"))


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="expected 28 for letters"):
        load(DataConfig(tokens="letters"), 30)
    with pytest.raises(UsageError, match="the test part has 3 tokens, expected at least length, which is 4"):
        check_length(np.zeros(3, np.int32), 4, "test")


def test_windows() -> None:
    tokens = np.arange(100, dtype=np.int32)
    batches = window_batches(tokens, 8, 64, seed=1)
    rows = batches(5)
    np.testing.assert_array_equal(np.diff(rows, axis=1), 1)
    np.testing.assert_array_equal(rows, batches(5))
    assert (rows != batches(6)).any()
    halves = [window_batches(tokens, 8, 64, seed=1, rank=rank, world=2)(5) for rank in range(2)]
    np.testing.assert_array_equal(np.concatenate(halves), rows)
    starts = np.concatenate([batches(step)[:, 0] for step in range(40)])
    assert (starts.min(), starts.max()) == (0, 92)


def test_held_out_windows() -> None:
    found = held_out_windows(np.arange(10), 3, 2)
    np.testing.assert_array_equal(found, [[0, 1, 2], [7, 8, 9]])
    assert len(held_out_windows(np.arange(10), 3, 100)) == 3
