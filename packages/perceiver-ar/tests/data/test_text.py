import lzma
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onepaper.data import embedded
from onepaper.errors import UsageError
from onepaper.text import Document, learn_pieces

from perceiver_ar.config import EOS, SOS, DataConfig
from perceiver_ar.data.text import (
    TEST_NOVELS,
    TRAIN_NOVELS,
    VALIDATION_NOVELS,
    ByteText,
    PieceText,
    WordText,
    articles,
    decode_bytes,
    encode_document,
    novel,
    novels,
    pg19,
    saved_text_codec,
    user_text,
    wikitext103,
)

STORY = "The cat sat on the mat.\n\nThe dog, too, sat on the mat; ça va? 猫\n" * 40

BOOK = novel("persuasion")[:60_000]


@pytest.fixture(scope="module")
def pieces() -> PieceText:
    return PieceText(learn_pieces([BOOK], 500))


def test_bytes_come_back() -> None:
    codec = ByteText()
    tokens = codec.encode("ça")
    assert tokens.tolist() == [SOS, 0xC3 + 3, 0xA7 + 3, ord("a") + 3, EOS]
    assert codec.decode(tokens) == "ça"
    assert codec.measure(codec.encode("two words")[1:]) == {"bytes": 9.0, "words": 2.0}


@pytest.mark.parametrize("text", [STORY, "  two  spaces\r\n\n\tand a tab \n", "unseen: żółw 🎹 \u2581", ""])
def test_pieces_lose_nothing(pieces: PieceText, text: str) -> None:
    tokens = pieces.encode(text)
    assert pieces.decode(tokens) == text
    assert tokens[0] == SOS
    assert tokens[-1] == EOS
    assert tokens.max() < pieces.vocab_size == 503
    assert pieces.measure(tokens)["bytes"] == len(text.encode())


@pytest.mark.parametrize("kind", ["bytes", "pieces"])
def test_files_come_back_exactly_but_for_a_byte_order_mark(kind: str, pieces: PieceText, tmp_path: Path) -> None:
    codec = {"bytes": ByteText(), "pieces": pieces}[kind]
    content = b"one\r\ntwo\rthree\n \xe2\x96\x81\0" + (b"\xff\x80" if kind == "bytes" else b"")
    for mark in (b"", b"\xef\xbb\xbf"):
        (tmp_path / "text").write_bytes(mark + content)
        tokens = encode_document(codec, Document(tmp_path / "text"))
        assert (tokens[0], tokens[-1]) == (SOS, EOS)
        assert decode_bytes(codec, tokens) == content


def test_files_need_not_be_utf8_where_tokens_are_bytes(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(bytes(range(256)) * 20)
    corpus = user_text(DataConfig("text", tmp_path / "mine"))
    read = b"".join(decode_bytes(corpus.codec, part[0]) for part in (corpus.train, corpus.validation, corpus.test))
    assert read == bytes(range(256)) * 20
    with pytest.raises(UsageError, match=re.escape("mine is not UTF-8 text (byte 128)")):
        user_text(DataConfig("text", tmp_path / "mine", tokens="pieces"))


def test_words_and_line_ends() -> None:
    codec = WordText.of(["a b a\nc a"])
    assert codec.words == ["<unk>", "a", "<eos>", "b", "c"]
    tokens = codec.encode("a x\nb")
    assert [codec.words[token - 3] for token in tokens[1:-1]] == ["a", "<unk>", "<eos>", "b", "<eos>"]
    assert codec.decode(tokens) == "a <unk>\nb\n"
    assert codec.measure(tokens) == {"words": 5.0}


@pytest.mark.parametrize("kind", ["bytes", "pieces", "words"])
def test_a_network_keeps_its_codec(kind: str, pieces: PieceText) -> None:
    codec = {"bytes": ByteText(), "pieces": pieces, "words": WordText.of([STORY])}[kind]
    config = DataConfig("novels", tokens=kind)
    again = saved_text_codec(config, codec.saved_files().__getitem__)
    np.testing.assert_array_equal(again.encode("The dog sat"), codec.encode("The dog sat"))


def test_novels_are_whole_and_apart() -> None:
    assert len({*TRAIN_NOVELS, *VALIDATION_NOVELS, *TEST_NOVELS}) == 6
    for name, words in (("emma", "Emma Woodhouse, handsome"), ("persuasion", "Sir Walter Elliot")):
        assert words in novel(name)
        assert lzma.decompress(embedded("perceiver_ar", f"{name}.txt.xz").read_bytes()).decode() == novel(name)
    corpus = novels(DataConfig("novels"))
    assert [len(part) for part in (corpus.train, corpus.validation, corpus.test)] == [4, 1, 1]
    assert corpus.codec.decode(corpus.test[0]) == novel("persuasion")


def test_one_file_is_cut_in_time(tmp_path: Path) -> None:
    text = "".join(chr(ord("a") + n // 100) for n in range(2600))
    (tmp_path / "mine.txt").write_text(text)
    corpus = user_text(DataConfig("text", tmp_path / "mine.txt"))
    parts = [corpus.codec.decode(part[0]) for part in (corpus.train, corpus.validation, corpus.test)]
    assert "".join(parts) == text
    assert [len(part) for part in parts] == [2340, 130, 130]


def test_folders_keep_their_parts(tmp_path: Path) -> None:
    for part in ("train", "validation", "test"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "1.txt").write_text(f"a book to {part}\n" * 3)
    for load, name in ((user_text, "text"), (pg19, "pg19")):
        corpus = load(DataConfig(name, tmp_path))
        assert corpus.codec.decode(corpus.validation[0]) == "a book to validation\n" * 3
        assert corpus.train.sizes == [len("a book to train\n") * 3]
    (tmp_path / "test" / "1.txt").unlink()
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path / 'test'} holds no .txt files")):
        pg19(DataConfig("pg19", tmp_path))


def test_many_files_are_dealt_out(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(f"text {number}")
    corpus = user_text(DataConfig("text", tmp_path))
    shown = [corpus.codec.decode(part[0]) for part in (corpus.train, corpus.validation, corpus.test)]
    assert shown == ["text 0", "text 1", "text 2"]


def test_wikitext_is_read_by_articles(tmp_path: Path) -> None:
    text = " \n = One = \n \n first words \n = = Part = = \n more \n = Two = \n second \n"
    assert [article.split()[1] for article in articles(text)] == ["One", "Two"]
    for part in ("train", "valid", "test"):
        (tmp_path / f"wiki.{part}.tokens").write_text(text)
    corpus = wikitext103(DataConfig("wikitext103", tmp_path, tokens="words"))
    assert len(corpus.train) == 2
    assert corpus.codec.vocab_size == 3 + len({"<unk>", "<eos>", *text.split()})
    with pytest.raises(UsageError, match="lacks wiki.train.tokens"):
        wikitext103(DataConfig("wikitext103", tmp_path.parent / tmp_path.name / ".."))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_text("short"), "has 5 bytes, expected at least 2000"),
        (lambda path: path.mkdir(), "holds no .txt files"),
    ],
)
def test_bad_files_raise_one_line(write, message: str, tmp_path: Path) -> None:
    write(tmp_path / "mine.txt")
    with pytest.raises(UsageError, match=re.escape(message)):
        user_text(DataConfig("text", tmp_path / "mine.txt"))


def test_pieces_are_kept_between_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "mine.txt").write_text(BOOK)
    config = replace(DataConfig("text", tmp_path / "mine.txt"), tokens="pieces", pieces=400)
    first = user_text(config).codec
    monkeypatch.setattr("onepaper.text.sentence_pieces._train", None)  # not called again
    assert user_text(config).codec.saved_files() == first.saved_files()
