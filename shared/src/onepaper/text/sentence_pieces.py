"""SentencePiece tokens that decode to exactly the text that was encoded."""

import contextlib
import hashlib
import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from onepaper.errors import UsageError
from onepaper.runs import write_atomic
from onepaper.text.tokenizers import PIECES_NAME, Tokens, check_ids, utf8

TRAINING_CHARACTERS, LONGEST_LINE = 20_000_000, 4000
"""SentencePiece is trained on at most this many characters, in lines of at most this many."""

# These settings make decoding exact, together with `PieceTokenizer.encode`.
_EXACT: Mapping[str, Any] = {
    "byte_fallback": True,
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "add_dummy_prefix": False,
    "user_defined_symbols": ["\n"],
}
# SentencePiece writes it for a space, and decodes it as one.
_SPACE_MARK = "\u2581"


class PieceTokenizer:
    """SentencePiece tokens.

    Decoding is exact for models of `learn_pieces`: unseen characters and U+2581 become bytes; CRLF, NUL and runs of
    spaces come back. A model trained elsewhere may normalise.

    Args:
        model: content of the SentencePiece model file.

    Raises:
        UsageError: not a SentencePiece model.
    """

    def __init__(self, model: bytes) -> None:
        from sentencepiece import SentencePieceProcessor

        self._model = model
        self._processor = SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(model)
            self.vocab_size: int = self._processor.vocab_size() if model else 0
        except (RuntimeError, ValueError):
            self.vocab_size = 0
        if not self.vocab_size:
            raise UsageError(f"{PIECES_NAME} ({len(model):,} bytes) is not a SentencePiece model; copy it again")
        mark = [self._processor.piece_to_id(f"<0x{byte:02X}>") for byte in utf8(_SPACE_MARK)]
        self._mark = mark if self._processor.unk_id() not in mark else []  # a model without bytes

    def encode(self, text: str) -> Tokens:
        """SentencePiece ids."""
        utf8(text)
        first, *others = text.split(_SPACE_MARK) if self._mark else [text]
        ids = self._processor.encode(first)
        for part in others:
            ids += [*self._mark, *self._processor.encode(part)]
        return np.array(ids, np.int32)

    def decode(self, tokens: Tokens) -> str:
        """The text; bytes that are no UTF-8 become the replacement character."""
        return self._processor.decode(check_ids(tokens, self.vocab_size).tolist())

    def saved_files(self) -> dict[str, bytes]:
        """The SentencePiece model."""
        return {PIECES_NAME: self._model}


def learn_pieces(texts: Iterable[str], vocab_size: int, *, cached: bool = False) -> bytes:
    """The model file of SentencePiece's unigram model, trained on the first `TRAINING_CHARACTERS` characters of texts.

    Args:
        texts: to learn from; the model is a function of them.
        vocab_size: number of ids, 256 of them bytes.
        cached: keep the model in the user's cache folder, and take it from there the next time.

    Raises:
        UsageError: no text, or too little of it for this vocabulary.
    """
    lines, characters = list[str](), 0
    for text in texts:
        utf8(text)
        for line in text.splitlines():
            lines += [line[at : at + LONGEST_LINE] for at in range(0, len(line), LONGEST_LINE)]
        characters += len(text)
        if characters > TRAINING_CHARACTERS:
            break
    if not cached:
        return _train(lines, vocab_size, characters)
    import platformdirs
    import sentencepiece

    key = "\n".join([sentencepiece.__version__, str(vocab_size), str(_EXACT), *lines])
    name = f"{hashlib.sha256(key.encode('utf-8')).hexdigest()[:32]}.model"
    path = platformdirs.user_cache_path("onepaper") / "sentencepiece" / name
    with contextlib.suppress(OSError, UsageError):  # not there yet, or damaged
        return next(iter(PieceTokenizer(path.read_bytes()).saved_files().values()))
    model = _train(lines, vocab_size, characters)
    with contextlib.suppress(OSError):  # without a writable cache folder the model is trained again next time
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, model)
    return model


def _train(lines: list[str], vocab_size: int, characters: int) -> bytes:
    import sentencepiece

    content = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=content,
            vocab_size=vocab_size,
            model_type="unigram",
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            max_sentence_length=4 * LONGEST_LINE,
            num_threads=1,
            minloglevel=2,
            **_EXACT,
        )
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[-1].rpartition("] ")[2]
        raise UsageError(
            f"cannot train {vocab_size} SentencePiece tokens on {characters:,} characters: {reason}"
        ) from None
    return content.getvalue()
