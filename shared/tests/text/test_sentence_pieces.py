import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onepaper.errors import UsageError
from onepaper.text import PieceTokenizer, Tokenizer, learn_pieces, open_tokenizer

GENERATOR = np.random.default_rng(0)
WORDS = ["the", *("".join(GENERATOR.choice(["ka", "lo", "mi", "sen", "tor", "ça"], 1 + k % 4)) for k in range(200))]
LINES = (" ".join(WORDS[min(int(number), 200)] for number in GENERATOR.zipf(1.5, 12)) for _ in range(200))
TEXT = "\n".join(f"{line}." for line in LINES)
SIZE = 330


@pytest.fixture(scope="module")
def pieces() -> PieceTokenizer:
    return PieceTokenizer(learn_pieces([TEXT], SIZE))


ODD = [
    "\u2581",
    " ",
    "\r",
    "\n",
    "\0",
    "<unk>",
    "<0x0A>",
    "</s>",
    "\ufeff",
    "\u0301",
    "猫",
    "\U0001f3b9",
    "the",
    "\ufffd",
]


@given(st.one_of(st.text(), st.lists(st.sampled_from(ODD)).map("".join)))
@settings(max_examples=400, deadline=None)
def test_every_text_comes_back(pieces: PieceTokenizer, text: str) -> None:
    tokens = pieces.encode(text)
    assert tokens.dtype == np.int32
    assert pieces.decode(tokens) == text


@pytest.mark.slow
@given(st.one_of(st.text(), st.lists(st.sampled_from(ODD)).map("".join)))
@settings(max_examples=10_000, deadline=None)
def test_ten_thousand_texts_come_back(pieces: PieceTokenizer, text: str) -> None:
    assert pieces.decode(pieces.encode(text)) == text


def test_tokens_are_fewer_than_bytes_and_saved(pieces: PieceTokenizer) -> None:
    assert isinstance(pieces, Tokenizer)
    assert pieces.vocab_size == SIZE
    assert len(pieces.encode(TEXT)) < 0.5 * len(TEXT)
    again = open_tokenizer("pieces", pieces.saved_files().__getitem__)
    np.testing.assert_array_equal(again.encode(TEXT), pieces.encode(TEXT))


def test_a_model_is_a_function_of_its_texts(pieces: PieceTokenizer) -> None:
    halves = TEXT[: TEXT.index("\n", 2000) + 1], TEXT[TEXT.index("\n", 2000) + 1 :]
    assert learn_pieces(iter(halves), SIZE) == pieces.saved_files()["pieces.model"]
    with pytest.raises(UsageError, match="cannot train 5000 SentencePiece tokens on 15 characters"):
        learn_pieces(["too little text"], 5000)
    with pytest.raises(UsageError, match="cannot train 300 SentencePiece tokens on 0 characters"):
        learn_pieces([], 300)
    with pytest.raises(UsageError, match="lone surrogate"):
        learn_pieces(["\udc80"], 300)


def test_models_are_kept_in_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    first = learn_pieces([TEXT], SIZE, cached=True)
    (kept,) = tmp_path.rglob("*.model")
    assert kept.parent == tmp_path / "onepaper" / "sentencepiece"
    with monkeypatch.context() as patched:
        patched.setattr("onepaper.text.sentence_pieces._train", None)  # not called again
        assert learn_pieces([TEXT], SIZE, cached=True) == first
    kept.write_bytes(first[:500])  # damaged: trained again
    assert learn_pieces([TEXT], SIZE, cached=True) == first
    assert kept.read_bytes() == first
    assert learn_pieces([TEXT + "."], SIZE, cached=True) != first
    assert learn_pieces([TEXT], SIZE - 10, cached=True) != first


def test_no_cache_folder_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "file" / name)
    assert learn_pieces([TEXT], SIZE, cached=True) == learn_pieces([TEXT], SIZE)


def test_bytes_that_are_no_utf8_are_shown(pieces: PieceTokenizer) -> None:
    half = pieces.encode("\u2581")[:1]
    assert pieces.decode(half) == "\ufffd"
    with pytest.raises(UsageError, match=f"expected integers below {SIZE}"):
        pieces.decode(np.array([SIZE]))
    with pytest.raises(UsageError, match="lone surrogate"):
        pieces.encode("\ud800")


@pytest.mark.parametrize("content", [b"", b"<unk>\nwords\n", b"\xff" * 40, b"\0" * 40, b"{}", b"half"])
def test_what_is_no_model_is_one_line(content: bytes, pieces: PieceTokenizer) -> None:
    model = pieces.saved_files()["pieces.model"]
    with pytest.raises(UsageError, match="is not a SentencePiece model") as caught:
        PieceTokenizer(model[: len(model) // 2] if content == b"half" else content)
    assert "\n" not in str(caught.value)


_FUZZ = """
import sys
import numpy as np
from onepaper.errors import UsageError
from onepaper.text import PieceTokenizer
model, count = open(sys.argv[1], "rb").read(), int(sys.argv[2])
generator = np.random.default_rng(count)
for _ in range(count):
    content = bytearray(model)
    for at in generator.integers(len(model), size=3):
        content[at] = generator.integers(256)
    try:
        tokenizer = PieceTokenizer(bytes(content))
        tokenizer.decode(tokenizer.encode("the cat \u2581 sat"))
    except UsageError as error:
        assert "\\n" not in str(error)
print("done")
"""


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_models_are_models_or_one_line(count: int, pieces: PieceTokenizer, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(pieces.saved_files()["pieces.model"])
    command = [sys.executable, "-c", _FUZZ, str(tmp_path / "model"), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
    assert done.stdout == "done\n", done.stderr[-2000:]
