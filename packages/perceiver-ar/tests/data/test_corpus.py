from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from onepaper.errors import UsageError

from perceiver_ar.config import EOS, SOS, ModelConfig
from perceiver_ar.data.codes import CodesCodec
from perceiver_ar.data.corpus import Codec, Corpus, InMemory, OnDisk, Windows, check_fits, document
from perceiver_ar.data.images import ImageCodec
from perceiver_ar.data.music import EventCodec
from perceiver_ar.data.text import ByteText

CONFIG = ModelConfig(context_length=8, num_latents=3, width=8, heads=2, rotary_fraction=1.0)


def numbered(*lengths: int) -> InMemory:
    """Documents whose tokens say where they stand."""
    return InMemory(100 * (number + 1) + np.arange(length, dtype=np.int32) for number, length in enumerate(lengths))


def test_batches_are_functions_of_the_step_and_divide_over_processes() -> None:
    documents = numbered(40, 20)
    windows, again = (Windows(documents, CONFIG, ByteText(), 6, seed=1) for _ in range(2))
    for name, array in windows(5).items():
        np.testing.assert_array_equal(array, again(5)[name])
    halves = [Windows(documents, CONFIG, ByteText(), 6, seed=1, rank=rank, world=2)(5) for rank in range(2)]
    for name, array in windows(5).items():
        np.testing.assert_array_equal(array, np.concatenate([half[name] for half in halves]))


def test_windows_are_pieces_of_documents_and_score_every_target_alike() -> None:
    documents = numbered(30)
    windows = Windows(documents, CONFIG, ByteText(), 64)
    scored: Counter[int] = Counter()
    for step in range(150):
        batch = windows(step)
        for inputs, targets, length in zip(batch["inputs"], batch["targets"], batch["lengths"], strict=True):
            assert 3 <= length <= 8
            np.testing.assert_array_equal(inputs[:length], np.arange(inputs[0], inputs[0] + length))
            np.testing.assert_array_equal(targets[:length], inputs[:length] + 1)
            assert (inputs[length:] == 0).all()
            scored.update(targets[length - 3 : length].tolist())
    assert set(scored) == set(range(101, 130))
    counts = np.array([scored[token] for token in range(103, 128)])
    # places are drawn evenly: 26 starts, each scores three targets in a row
    expected = 150 * 64 * 3 / 27
    assert np.abs(counts - expected).max() < 6 * np.sqrt(expected)


def test_documents_are_drawn_in_proportion_to_their_length() -> None:
    documents = InMemory([1000 + np.arange(300, dtype=np.int32), 200 + np.arange(30, dtype=np.int32)])
    windows = Windows(documents, CONFIG, ByteText(), 10)
    # an epoch is 100 + 10 windows, a third of the tokens each
    drawn = np.concatenate([windows(step)["inputs"] for step in range(11)])
    assert ((drawn[:, 0] >= 200) & (drawn[:, 0] < 230)).sum() == 10


def test_a_short_document_is_taken_whole() -> None:
    batch = Windows(numbered(3, 6), CONFIG, ByteText(), 8)(0)
    for inputs, length in zip(batch["inputs"], batch["lengths"], strict=True):
        if inputs[0] < 200:
            assert length == 2
    assert {int(length) for length in batch["lengths"]} <= {2, 3, 4, 5}


def test_full_windows_carry_no_lengths() -> None:
    windows = Windows(numbered(40), CONFIG, ByteText(), 4, least_inputs=8)
    assert "lengths" not in windows(0)
    with pytest.raises(UsageError, match="a document has 8 tokens, expected more than 8"):
        Windows(numbered(8), CONFIG, ByteText(), 4, least_inputs=8)(0)
    # as many latents as inputs is no wish for full windows
    batch = Windows(numbered(8, 40), replace(CONFIG, num_latents=8), ByteText(), 8)(0)
    assert set(batch["lengths"].tolist()) == {7, 8}


@pytest.mark.parametrize("context", [13, 6])
def test_coordinates_go_with_the_tokens(context: int) -> None:
    codec = ImageCodec(2, 2, 3)
    config = replace(CONFIG, context_length=context, positions="absolute", axes=(4, 4, 5), position_tables="learned")
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    batch = Windows(InMemory([codec.encode(image)]), config, codec, 16)(3)
    for inputs, at, length in zip(batch["inputs"], batch["coordinates"], batch["lengths"], strict=True):
        # the value of an image that counts up is its place, so the place can be read off the token
        values = inputs[:length] >= 3
        for token, (column, row, channel) in zip(inputs[:length][values], at[:length][values], strict=True):
            assert token - 3 == ((row - 2) * 2 + column - 2) * 3 + channel - 2


def test_windows_may_be_changed_by_a_draw_of_their_own() -> None:
    documents, config = (
        InMemory([document(np.arange(200))]),
        ModelConfig(vocab_size=300, context_length=8, num_latents=4),
    )
    plain = Windows(documents, config, ByteText(), 4, seed=1)

    def changed(rank: int = 0, world: int = 1) -> Windows:
        return Windows(
            documents, config, ByteText(), 4, seed=1, rank=rank, world=world,
            augment=lambda tokens, draw: tokens + round(1000 * draw),
        )  # fmt: skip

    for step in range(3):
        before, after = plain(step), changed()(step)
        there = np.arange(8) < before["lengths"][:, None]
        added = [set(row[kept]) for row, kept in zip(after["inputs"] - before["inputs"], there, strict=True)]
        assert all(len(values) == 1 for values in added)
        assert len(set.union(*added)) > 1
        halves = [changed(rank, 2)(step)["inputs"] for rank in range(2)]
        np.testing.assert_array_equal(np.concatenate(halves), after["inputs"])


def test_documents_on_disk_are_read_when_asked_for() -> None:
    read: list[str] = []

    def content(name: str) -> np.ndarray:
        read.append(name)
        return np.arange(5, dtype=np.int32)

    documents = OnDisk(["a", "b"], [5, 5], content)
    assert len(documents) == 2
    assert not read
    assert len(documents[1]) == 5
    documents[1]
    assert read == ["b"]


def test_what_does_not_fit_raise_errors() -> None:
    with pytest.raises(UsageError, match="set --model.vocab-size 20"):
        check_fits(CONFIG, ImageCodec(8, 8, 1, 17))
    wide = replace(CONFIG, vocab_size=20, positions="absolute", axes=(9, 10, 3))
    with pytest.raises(
        UsageError, match=r"^axes are \(9, 10, 3\), but the data need \(10, 10, 3\); set --model.axes 10 10 3$"
    ):
        check_fits(wide, ImageCodec(8, 8, 1, 17))
    check_fits(replace(wide, axes=(10, 11, 3)), ImageCodec(8, 8, 1, 17))
    with pytest.raises(UsageError, match="but the data have one; set --model.positions rotary$"):
        check_fits(replace(wide, vocab_size=259), ByteText())
    both = r"vocab_size is 20, but the data have 259 ids; axes are \(9, 10, 3\), but the data need \(6, 6, 5\); "
    with pytest.raises(UsageError, match=both + "set --model.vocab-size 259 --model.axes 6 6 5$"):
        check_fits(wide, ImageCodec(4, 4))
    with pytest.raises(UsageError, match=both + "the weights were trained on other data; choose others$"):
        check_fits(wide, ImageCodec(4, 4), advice=False)
    with pytest.raises(UsageError, match="the test part of the data has no documents"):
        Corpus(ByteText(), numbered(4), numbered(4), InMemory())


def test_a_document_begins_and_ends() -> None:
    assert document(np.array([0, 5])).tolist() == [SOS, 3, 8, EOS]


@pytest.mark.parametrize("codec", [ByteText(), ImageCodec(2, 2, 3), EventCodec(), CodesCodec(3, 5)], ids=type)
def test_every_codec_follows_the_protocol(codec: Codec) -> None:
    assert isinstance(codec, Codec)
    assert codec.saved_files().keys() <= {"codebooks.txt"}
