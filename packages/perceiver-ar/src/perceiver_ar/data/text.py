"""Text as bytes, SentencePiece tokens or words: six novels that ship here, user files, PG-19 and Wikitext-103."""

import lzma
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from onepaper.data import data_root, embedded, readable
from onepaper.fingerprint.marks import unmeasured
from onepaper.progress import track
from onepaper.text import (
    ByteTokenizer,
    Document,
    PieceTokenizer,
    TextParts,
    Tokenizer,
    WordTokenizer,
    learn_pieces,
    open_text,
    part_folders,
    read_text,
)

from perceiver_ar.config import RESERVED, DataConfig
from perceiver_ar.data.corpus import Corpus, InMemory, OnDisk, Tokens, document

# Novels for training, validation and test.
TRAIN_NOVELS = ("emma", "mansfield-park", "pride-and-prejudice", "sense-and-sensibility")


VALIDATION_NOVELS, TEST_NOVELS = ("northanger-abbey",), ("persuasion",)


# Approximate bytes per token, to estimate the sizes of files without encoding them.
BYTES_PER_TOKEN = {"bytes": 1.0, "pieces": 3.5, "words": 5.5}


PIECES_NAME, WORDS_NAME = "pieces.model", "words.txt"


class ByteText:
    """UTF-8 bytes: 256 symbols."""

    vocab_size = 256 + RESERVED
    coordinates = None
    allowed = None

    def encode(self, text: str) -> Tokens:
        """SOS, bytes, EOS."""
        return document(np.frombuffer(text.encode("utf-8"), np.uint8))

    def decode(self, tokens: Tokens) -> str:
        """The text; invalid UTF-8 becomes the replacement character."""
        kept = tokens[tokens >= RESERVED] - RESERVED
        return kept.astype(np.uint8).tobytes().decode("utf-8", errors="replace")

    def measure(self, tokens: Tokens) -> dict[str, float]:
        """Bytes and words."""
        return {"bytes": float((tokens >= RESERVED).sum()), "words": float(len(self.decode(tokens).split()))}

    def saved_files(self) -> dict[str, bytes]:
        """No files."""
        return {}


class TokenizedText:
    """Documents of a tokenizer, whose ids follow the reserved ones."""

    coordinates = None
    allowed = None

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.vocab_size = tokenizer.vocab_size + RESERVED

    def encode(self, text: str) -> Tokens:
        """SOS, tokens, EOS."""
        return document(self._tokenizer.encode(text))

    def decode(self, tokens: Tokens) -> str:
        """The text."""
        return self._tokenizer.decode(tokens[tokens >= RESERVED] - RESERVED)

    def saved_files(self) -> dict[str, bytes]:
        """The vocabulary."""
        return self._tokenizer.saved_files()


@unmeasured
class PieceText(TokenizedText):
    """SentencePiece tokens with byte fallback, so that decoding is exact.

    Args:
        model: content of the SentencePiece model file.
    """

    def __init__(self, model: bytes) -> None:
        super().__init__(PieceTokenizer(model))

    def measure(self, tokens: Tokens) -> dict[str, float]:
        """Bytes and words of the text."""
        text = self.decode(tokens)
        return {"bytes": float(len(text.encode("utf-8"))), "words": float(len(text.split()))}


@unmeasured
class WordText(TokenizedText):
    """Words between spaces, and a token at the end of each line, as in Wikitext-103.

    Args:
        words: the vocabulary; its first entry stands for unknown words.
    """

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(WordTokenizer(words))
        self.words = list(words)

    @classmethod
    def of(cls, texts: Iterable[str]) -> "WordText":
        """A codec with all words of some texts, in order of frequency."""
        return cls(WordTokenizer.learn(texts).words)

    def measure(self, tokens: Tokens) -> dict[str, float]:
        """Words, including ends of lines; bytes are undefined because of unknown words."""
        return {"words": float((tokens >= RESERVED).sum())}


TextCodec = ByteText | PieceText | WordText


@unmeasured
def cached_pieces(texts: Iterable[str], size: int) -> bytes:
    """A SentencePiece model of these texts, kept in the user's cache folder."""
    return learn_pieces(texts, size, cached=True)


def text_codec(config: DataConfig, texts: Callable[[], Iterable[str]]) -> TextCodec:
    """The codec of a configuration; SentencePiece and words are trained on the training texts."""
    if config.tokens == "bytes":
        return ByteText()
    if config.tokens == "words":
        return WordText.of(texts())
    return PieceText(cached_pieces(texts(), config.pieces))


def saved_text_codec(config: DataConfig, read: Callable[[str], bytes]) -> TextCodec:
    """The codec of a trained network, from the files saved beside its weights."""
    if config.tokens == "bytes":
        return ByteText()
    if config.tokens == "words":
        return WordText(read(WORDS_NAME).decode("utf-8").split("\n"))
    return PieceText(read(PIECES_NAME))


@lru_cache(maxsize=6)
def novel(name: str) -> str:
    """One of the novels that ship with the package, e.g. "emma"."""
    return lzma.decompress(embedded("perceiver_ar", f"{name}.txt.xz").read_bytes()).decode("utf-8")


def novels(config: DataConfig, codec: TextCodec | None = None) -> Corpus:
    """Six novels by Jane Austen: four for training, Northanger Abbey for validation, Persuasion for test."""
    codec = codec or text_codec(config, lambda: [novel(name) for name in TRAIN_NOVELS])
    parts = (
        InMemory(codec.encode(novel(name)) for name in names)
        for names in (TRAIN_NOVELS, VALIDATION_NOVELS, TEST_NOVELS)
    )
    return Corpus(codec, *parts)


def encode_document(codec: TextCodec, source: Document) -> Tokens:
    """SOS, the tokens of a text file or of a span of it, EOS; with `ByteText` its bytes as they are, but for a byte
    order mark, which is no text.

    Raises:
        UsageError: the file cannot be read, or is not UTF-8 and the tokens are not bytes.
    """
    if isinstance(codec, ByteText):
        content = source.read_bytes()
        return document(ByteTokenizer().encode(content if source.start else content.removeprefix(BOM_UTF8)))
    return codec.encode(source.read())


def decode_bytes(codec: TextCodec, tokens: Tokens) -> bytes:
    """A sequence as the content of a text file; with `ByteText` its bytes as they are."""
    if isinstance(codec, ByteText):
        return ByteTokenizer().decode_bytes(tokens[tokens >= RESERVED] - RESERVED)
    return codec.decode(tokens).encode("utf-8")


@unmeasured
def user_text(config: DataConfig, codec: TextCodec | None = None) -> Corpus:
    """A user's text file or folder, split as `onepaper.text.open_text` says.

    Raises:
        UsageError: no files, too short ones, or files that are not UTF-8 where the tokens are not bytes.
    """
    assert config.path is not None
    read = Document.read_bytes if config.tokens == "bytes" else Document.read
    parts = (readable(part, read, description="checking texts") for part in open_text(config.path))
    return _on_disk(config, TextParts(*parts), codec)


@unmeasured
def pg19(config: DataConfig, codec: TextCodec | None = None) -> Corpus:
    """A local copy of PG-19: `train`, `validation` and `test` with one .txt for each book."""
    root = data_root("pg19", config.path, ("train", "validation", "test"))
    return _on_disk(config, part_folders(root), codec)


@unmeasured
def wikitext103(config: DataConfig, codec: TextCodec | None = None) -> Corpus:
    """A local copy of Wikitext-103: articles of `wiki.train.tokens`, `wiki.valid.tokens` and `wiki.test.tokens`."""
    names = [f"wiki.{part}.tokens" for part in ("train", "valid", "test")]
    root = data_root("wikitext103", config.path, names)
    parts = [articles(read_text(root / name)) for name in names]
    codec = codec or text_codec(config, lambda: parts[0])
    return Corpus(codec, *(InMemory(codec.encode(text) for text in part) for part in parts))


def articles(text: str) -> list[str]:
    """Articles of Wikitext: each begins with a line " = Title = " (headings of sections have more signs)."""
    found = re.split(r"^(?= = [^=].*[^=] = $)", text, flags=re.MULTILINE)
    return [article for article in found if article.strip()]


def _on_disk(config: DataConfig, parts: TextParts, codec: TextCodec | None) -> Corpus:
    """Documents that are read when needed; a vocabulary is learned from those for training."""

    def texts() -> Iterable[str]:
        return (source.read() for source in track(parts.train, "reading the training texts", unit="file"))

    chosen = codec or text_codec(config, texts)

    def part(sources: Sequence[Document]) -> OnDisk:
        sizes = [max(1, int(source.size / BYTES_PER_TOKEN[config.tokens])) for source in sources]
        return OnDisk(sources, sizes, lambda source: encode_document(chosen, source))

    return Corpus(chosen, *map(part, parts))


LOADERS: Mapping[str, Callable[[DataConfig, TextCodec | None], Corpus]] = {
    "novels": novels,
    "text": user_text,
    "pg19": pg19,
    "wikitext103": wikitext103,
}
