from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onepaper.errors import UsageError
from onepaper.text import ByteTokenizer, CharacterTokenizer, Tokenizer, WordTokenizer, open_tokenizer
from onepaper.text.tokenizers import UNKNOWN, split_words

STORY = "The cat sat on the mat.\r\n\r\nça va? 猫\n"


@given(st.binary())
@settings(max_examples=200, deadline=None)
def test_bytes_are_bytes(content: bytes) -> None:
    tokens = ByteTokenizer().encode(content)
    assert tokens.tolist() == list(content)
    assert tokens.dtype == np.int32
    assert ByteTokenizer().decode_bytes(tokens) == content


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_texts_come_back_from_bytes_and_characters(text: str) -> None:
    assert ByteTokenizer().decode(ByteTokenizer().encode(text)) == text
    if text:
        tokenizer = CharacterTokenizer.learn([text[::2], text[1::2]])
        assert tokenizer.characters == "".join(sorted(set(text)))
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_invalid_utf8_is_shown_as_replacement_characters() -> None:
    assert ByteTokenizer().decode(np.array([0xE7, 0x61])) == "\ufffda"


def test_words_by_frequency_and_ends_of_lines() -> None:
    tokenizer = WordTokenizer.learn(["a b a\nc a", "<unk> b"])
    assert tokenizer.words == ["<unk>", "<eos>", "a", "b", "c"]
    tokens = tokenizer.encode("a x  b\r\n\nb")
    assert [tokenizer.words[token] for token in tokens] == ["a", "<unk>", "b", "<eos>", "<eos>", "b", "<eos>"]
    assert tokenizer.decode(tokens) == "a <unk> b\n\nb\n"
    assert WordTokenizer.learn(["a b a\nc a"], 3).words == ["<unk>", "a", "<eos>"]


@given(st.text(alphabet="abc \n\r\u2028\x1c"))
@settings(max_examples=200, deadline=None)
def test_words_come_back_as_words(text: str) -> None:
    tokenizer = WordTokenizer(["<unk>", "<eos>", "a", "b", "ab"])
    expected = [word if word in tokenizer.words else UNKNOWN for word in split_words(text)]
    assert split_words(tokenizer.decode(tokenizer.encode(text))) == expected


@pytest.mark.parametrize(
    ("kind", "tokenizer"),
    [
        ("bytes", ByteTokenizer()),
        ("characters", CharacterTokenizer.learn([STORY, "\n\r\0 \u2028"])),
        ("words", WordTokenizer.learn([STORY])),
    ],
)
def test_a_saved_tokenizer_is_the_same(kind: str, tokenizer: Tokenizer) -> None:
    assert isinstance(tokenizer, Tokenizer)
    again = open_tokenizer(kind, tokenizer.saved_files().__getitem__)
    assert again.vocab_size == tokenizer.vocab_size
    np.testing.assert_array_equal(again.encode(STORY), tokenizer.encode(STORY))
    assert again.saved_files() == tokenizer.saved_files()


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: ByteTokenizer().encode("ab\ud800"), r"the lone surrogate '\\ud800' at character 2"),
        (lambda: CharacterTokenizer("ab").encode("abc"), "text has 'c' at character 2, expected only .*'ab'"),
        (lambda: CharacterTokenizer(""), "expected at least one character"),
        (lambda: CharacterTokenizer("aba"), "none twice"),
        (
            lambda: ByteTokenizer().decode(np.array([3, 256])),
            "ids are int64 from 3 to 256, expected integers below 256",
        ),
        (lambda: CharacterTokenizer("ab").decode(np.array([-1])), "from -1 to -1"),
        (lambda: WordTokenizer(["<unk>"]).decode(np.array([0.5])), "ids are float64"),
        (lambda: WordTokenizer([]), r"begins with \[\], expected '<unk>'"),
        (lambda: WordTokenizer(["a", "<unk>"]), r"begins with \['a'\], expected '<unk>'"),
        (lambda: WordTokenizer(["<unk>", "a", "b c"]), "has 'b c', expected"),
        (lambda: WordTokenizer(["<unk>", "", "a"]), "has '', expected"),
        (lambda: WordTokenizer(["<unk>", "a", "b", "a"]), "has 'a', expected .* none twice"),
        (lambda: open_tokenizer("words", lambda _: b"<unk>\n\xff"), r"words.txt is not UTF-8 text \(byte 6\)"),
        (lambda: open_tokenizer("words", lambda _: b"\x89PNG"), "words.txt is not UTF-8"),
        (lambda: open_tokenizer("words", lambda _: b""), "begins with"),
        (lambda: open_tokenizer("characters", lambda _: b""), "at least one character"),
        (lambda: open_tokenizer("letters", lambda _: b""), "kind of tokenizer.*letters"),
    ],
)
def test_what_cannot_be_is_one_line(act: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        act()
    assert "\n" not in str(caught.value)


def test_the_light_tokenizers_need_no_sentencepiece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sentencepiece", None)
    assert WordTokenizer.learn(["a"]).vocab_size == 3
    with pytest.raises(ImportError):
        open_tokenizer("pieces", lambda _: b"x")
