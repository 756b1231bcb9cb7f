"""Tokens, padding and windows."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.text import CharacterTokenizer

from sed.config import DataConfig
from sed.data.corpus import (
    END,
    PAD,
    Corpus,
    TextCodec,
    check_length,
    cut_windows,
    held_out_windows,
    load,
    strip_pads,
    text_positions,
    window_batches,
)


def test_text_comes_back(corpus: Corpus) -> None:
    text = " And Moses said, Behold: he—smote 12 men."
    tokens = corpus.codec.encode(text)
    assert tokens.min() >= 2
    assert corpus.codec.vocab_size == 2048
    padded = np.insert(tokens, [0, 3, 3, len(tokens)], PAD)
    assert corpus.codec.decode(padded) == text
    assert corpus.codec.decode(np.concatenate([tokens, [END], tokens])) == f"{text}\n{text}"


def test_each_document_has_an_end(corpus: Corpus) -> None:
    assert [(part == END).sum() for part in corpus[1:]] == [952, 119, 118]
    assert not any((part == PAD).any() for part in corpus[1:])
    assert corpus.codec.decode(corpus.test[:40]).startswith(" Now these are the generations")


def test_padding_is_at_random_positions_and_keeps_the_order() -> None:
    generator = np.random.default_rng(0)
    is_text = text_positions(generator, 5000, 20, DataConfig(pad_fraction=0.1))
    assert (is_text.sum(axis=1) == 18).all()
    np.testing.assert_allclose(is_text.mean(axis=0), 0.9, atol=4 * np.sqrt(0.09 / 5000))
    windows = cut_windows(np.arange(2, 2000), np.arange(5), is_text[:5])
    for start, row in enumerate(windows):
        np.testing.assert_array_equal(row[row != PAD], np.arange(start, start + 18) + 2)
        assert (row == PAD).sum() == 2


def test_bernoulli_padding() -> None:
    config = DataConfig(pad_fraction=0.3, padding="bernoulli")
    is_text = text_positions(np.random.default_rng(0), 5000, 20, config)
    assert is_text.mean() == pytest.approx(0.7, abs=4 * np.sqrt(0.21 / 100_000))
    assert len(np.unique(is_text.sum(axis=1))) > 5


def test_batches_depend_on_step_and_seed_only(corpus: Corpus) -> None:
    config = DataConfig()
    batches, again = (window_batches(corpus.train, 16, 8, config, seed=1) for _ in range(2))
    np.testing.assert_array_equal(batches(3), again(3))
    assert (batches(3) != batches(4)).any()
    parts = [window_batches(corpus.train, 16, 8, config, seed=1, rank=rank, world=2)(3) for rank in range(2)]
    np.testing.assert_array_equal(np.concatenate(parts), batches(3))
    text = " ".join(corpus.codec.decode(corpus.train).split())
    for row in batches(0)[:3]:
        assert " ".join(corpus.codec.decode(row).split()) in text


def test_held_out_windows_do_not_overlap(corpus: Corpus) -> None:
    windows = held_out_windows(corpus.test, 16, 64, DataConfig(pad_fraction=0.0))
    assert windows.shape == (64, 16)
    np.testing.assert_array_equal(windows[0], corpus.test[:16])
    np.testing.assert_array_equal(windows[-1], corpus.test[-16:])
    assert held_out_windows(corpus.test[:40], 16, 64, DataConfig()).shape == (2, 16)


def test_padding_moves_to_the_end() -> None:
    tokens = np.array([[5, PAD, 7, PAD, 9]])
    text, mask = strip_pads(tokens, np.array([[False, True, True, True, True]]))
    np.testing.assert_array_equal(text, [[5, 7, 9, PAD, PAD]])
    np.testing.assert_array_equal(mask, [[False, True, True, False, False]])


def test_letters_of_proteins(tmp_path: Path) -> None:
    path = tmp_path / "proteins.txt"
    path.write_text("MKVLAAGITDEWQRNPSFHYC" * 200)
    config = DataConfig("text", path, "characters")
    found = load(config, 22)
    assert found.codec.decode(found.codec.encode("MKV")) == "MKV"
    with pytest.raises(UsageError, match="give --model.vocab-size 22"):
        load(config, 30)
    with pytest.raises(UsageError, match="character 2"):
        found.codec.encode("MKz")


def test_errors() -> None:
    with pytest.raises(UsageError, match="test part has 3 tokens"):
        check_length(np.arange(3), 16, "test")
    with pytest.raises(UsageError, match="ids are"):
        TextCodec("characters", CharacterTokenizer("ab")).decode(np.array([9]))
