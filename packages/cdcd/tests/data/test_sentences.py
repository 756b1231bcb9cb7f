"""Sentences as rows of tokens, and batches of pairs."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError

from cdcd.config import PairsConfig
from cdcd.data.sentences import BEGIN, END, PADDING, RESERVED, ParallelCorpus, encode_pairs, load_pairs, pair_batches


def test_rows(pairs: ParallelCorpus) -> None:
    codec = pairs.codec
    assert codec.vocab_size == 512
    text = "Porque así dijo."
    pieces = (codec.tokenizer.encode(text) + RESERVED).tolist()
    source, target = codec.encode_source(text, 40), codec.encode_target(text, 40)
    assert source is not None
    assert target is not None
    assert source.tolist() == [*pieces, END] + [PADDING] * (39 - len(pieces))
    assert target.tolist() == [BEGIN, *pieces, END] + [PADDING] * (38 - len(pieces))
    assert codec.encode_target(text, len(pieces) + 2) is not None
    assert codec.encode_target(text, len(pieces) + 1) is None
    assert codec.encode_source(text, len(pieces)) is None
    assert codec.decode(source) == codec.decode(target) == text
    # What follows the end does not count, and reserved tokens are no text.
    assert codec.decode(np.concatenate([target[: len(pieces) + 2], source])) == text
    assert codec.decode(np.array([PADDING, BEGIN, *pieces])) == text


def test_too_long_pairs_are_left_out_and_counted(pairs: ParallelCorpus) -> None:
    some = pairs.train.pairs[:20]
    whole = encode_pairs(pairs.codec, some, 40, 40)
    np.testing.assert_array_equal(whole.source, pairs.train.source[:20])
    few = encode_pairs(pairs.codec, some, 40, 30)
    assert len(few.pairs) + few.left_out == 20
    assert few.left_out > 0
    assert few.target.shape == (len(few.pairs), 30)


def test_batches_visit_every_pair_once(pairs: ParallelCorpus) -> None:
    count = len(pairs.test.pairs)
    batches = pair_batches(pairs.test, 1, seed=3)
    seen = [batches(step)[0][0].tobytes() for step in range(count)]
    assert sorted(seen) == sorted(row.tobytes() for row in pairs.test.source)
    source, target = batches(1)
    found = np.flatnonzero((pairs.test.source == source[0]).all(axis=1))
    assert any((pairs.test.target[row] == target[0]).all() for row in found)
    halves = [pair_batches(pairs.test, 4, seed=3, rank=rank, world=2)(0)[1] for rank in (0, 1)]
    np.testing.assert_array_equal(np.concatenate(halves), pair_batches(pairs.test, 4, seed=3)(0)[1])


def test_no_short_pair(tmp_path: Path) -> None:
    for part in ("train", "validation", "test"):
        for language in ("de", "en"):
            text = "".join(f"{part} {language} word{number % 37} abc{number}\n" for number in range(300))
            (tmp_path / f"{part}.{language}").write_text(text)
    with pytest.raises(UsageError, match="train part has no pair of at most 2 and 40 tokens"):
        load_pairs(PairsConfig("pairs", tmp_path, "de", "en"), 300, 2, 40)
