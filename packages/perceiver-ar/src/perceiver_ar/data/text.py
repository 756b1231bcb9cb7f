"""Text as bytes, SentencePiece tokens or words: six novels that ship here, user files, PG-19 and Wikitext-103."""

import hashlib
import io
import lzma
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from onepaper.data import data_root, embedded
from onepaper.errors import UsageError
from onepaper.runs import write_atomic

from perceiver_ar.config import RESERVED, DataConfig
from perceiver_ar.data.corpus import Corpus, Documents, InMemory, OnDisk, Tokens, document

# Novels for training, validation and test.
TRAIN_NOVELS = ("emma", "mansfield-park", "pride-and-prejudice", "sense-and-sensibility")


VALIDATION_NOVELS, TEST_NOVELS = ("northanger-abbey",), ("persuasion",)


# Fraction of a single user text for validation, and for test, from its end.
HELD_OUT_SHARE = 0.05


# SentencePiece is trained on at most this many characters, in lines of at most this many.
PIECE_TRAINING_CHARACTERS, LONGEST_LINE = 20_000_000, 4000


# Approximate bytes per token, to estimate the sizes of files without encoding them.
BYTES_PER_TOKEN = {"bytes": 1.0, "pieces": 3.5, "words": 5.5}


PIECES_NAME, WORDS_NAME = "pieces.model", "words.txt"


UNKNOWN, LINE_END = "<unk>", "<eos>"


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


class PieceText:
    """SentencePiece tokens with byte fallback, so that decoding is exact.

    Args:
        model: content of the SentencePiece model file.
    """

    coordinates = None
    allowed = None

    def __init__(self, model: bytes) -> None:
        from sentencepiece import SentencePieceProcessor

        self._model = model
        self._processor = SentencePieceProcessor(model_proto=model)
        self.vocab_size = self._processor.vocab_size() + RESERVED

    def encode(self, text: str) -> Tokens:
        """SOS, SentencePiece tokens, EOS."""
        return document(np.array(self._processor.encode(text), np.int32))

    def decode(self, tokens: Tokens) -> str:
        """The text, exactly."""
        return self._processor.decode((tokens[tokens >= RESERVED] - RESERVED).tolist())

    def measure(self, tokens: Tokens) -> dict[str, float]:
        """Bytes and words of the text."""
        text = self.decode(tokens)
        return {"bytes": float(len(text.encode("utf-8"))), "words": float(len(text.split()))}

    def saved_files(self) -> dict[str, bytes]:
        """The SentencePiece model."""
        return {PIECES_NAME: self._model}


class WordText:
    """Words between spaces, and a token at the end of each line, as in Wikitext-103.

    Args:
        words: the vocabulary; its first entry stands for unknown words.
    """

    coordinates = None
    allowed = None

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self._id_of = {word: number for number, word in enumerate(self.words)}
        self.vocab_size = len(self.words) + RESERVED

    @classmethod
    def of(cls, texts: Iterable[str]) -> "WordText":
        """A codec with all words of some texts, in order of frequency."""
        counts: dict[str, int] = {}
        for text in texts:
            for word in split_words(text):
                counts[word] = counts.get(word, 0) + 1
        counts.pop(UNKNOWN, None)
        return cls([UNKNOWN, *sorted(counts, key=lambda word: (-counts[word], word))])

    def encode(self, text: str) -> Tokens:
        """SOS, words and line ends, EOS."""
        return document(np.array([self._id_of.get(word, 0) for word in split_words(text)], np.int32))

    def decode(self, tokens: Tokens) -> str:
        """Words with spaces between them, and lines."""
        words = (self.words[token - RESERVED] for token in tokens if token >= RESERVED)
        return re.sub(rf" ?{LINE_END} ?", "\n", " ".join(words))

    def measure(self, tokens: Tokens) -> dict[str, float]:
        """Words, including ends of lines; bytes are undefined because of unknown words."""
        return {"words": float((tokens >= RESERVED).sum())}

    def saved_files(self) -> dict[str, bytes]:
        """The vocabulary."""
        return {WORDS_NAME: "\n".join(self.words).encode("utf-8")}


TextCodec = ByteText | PieceText | WordText


def split_words(text: str) -> list[str]:
    """Words between spaces, and `<eos>` at the end of each line."""
    return [word for line in text.splitlines() for word in (*line.split(), LINE_END)]


def learn_pieces(texts: Sequence[str], size: int) -> bytes:
    """Train SentencePiece's unigram model on texts; the result is deterministic.

    Raises:
        UsageError: too little text for this vocabulary size.
    """
    import sentencepiece

    lines, characters = list[str](), 0
    for text in texts:
        for line in text.splitlines():
            lines += [line[at : at + LONGEST_LINE] for at in range(0, len(line), LONGEST_LINE)]
        characters += len(text)
        if characters > PIECE_TRAINING_CHARACTERS:
            break
    content = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=content,
            vocab_size=size,
            model_type="unigram",
            byte_fallback=True,
            normalization_rule_name="identity",  # these four settings make decoding exact
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            user_defined_symbols=["\n"],
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            max_sentence_length=4 * LONGEST_LINE,
            num_threads=1,
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[-1].rpartition("] ")[2]
        raise UsageError(f"cannot train {size} SentencePiece tokens on {characters:,} characters: {reason}") from None
    return content.getvalue()


def cached_pieces(texts: Sequence[str], size: int) -> bytes:
    """`learn_pieces` with a cache in the user's cache folder."""
    digest = hashlib.sha256(str(size).encode())
    for text in texts:
        digest.update(text.encode("utf-8"))
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = root / "onepaper" / "perceiver-ar" / f"pieces-{digest.hexdigest()[:24]}.model"
    if path.is_file():
        return path.read_bytes()
    model = learn_pieces(texts, size)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, model)
    except OSError:
        pass  # without a writable cache folder the model is trained again next time
    return model


def text_codec(config: DataConfig, texts: Callable[[], Sequence[str]]) -> TextCodec:
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


def read_text(path: Path) -> str:
    """A text file.

    Raises:
        UsageError: no such file, or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist; give the path of a text file or a folder of them") from None
    except (IsADirectoryError, PermissionError) as error:
        raise UsageError(f"{path}: {error.strerror}; give the path of a text file") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start}); convert it first") from None


def user_text(config: DataConfig, codec: TextCodec | None = None) -> Corpus:
    """A user's text file or folder.

    A folder with `train`, `validation` and `test` keeps these parts. In another folder of at least three files, every
    tenth (at least one) is for validation and every tenth for test. One or two files are each split 90/5/5.

    Raises:
        UsageError: no files, files that are not text, or too short ones.
    """
    assert config.path is not None
    path = config.path
    if path.is_dir() and all((path / part).is_dir() for part in ("train", "validation", "test")):
        return _folders(config, path, codec)
    files = sorted(path.rglob("*.txt")) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"{path} holds no .txt files; give a text file or a folder of them")
    if len(files) >= 3:
        train, validation, test = hold_out_tenth(files)
        return _on_disk(config, train, validation, test, codec)
    texts = [read_text(file) for file in files]
    cuts = [(round(len(text) * (1 - 2 * HELD_OUT_SHARE)), round(len(text) * (1 - HELD_OUT_SHARE))) for text in texts]
    parts = [
        [text[first:last] for text, (a, b) in zip(texts, cuts, strict=True) for first, last in [span(a, b, len(text))]]
        for span in (lambda a, _b, _n: (0, a), lambda a, b, _n: (a, b), lambda _a, b, n: (b, n))
    ]
    for text, file in zip(texts, files, strict=True):
        if len(text) * HELD_OUT_SHARE < 100:
            raise UsageError(f"{file} has {len(text)} characters, expected at least 2000: two parts of 5% are held out")
    codec = codec or text_codec(config, lambda: parts[0])
    return Corpus(codec, *(InMemory(codec.encode(text) for text in part) for part in parts))


def hold_out_tenth(files: Sequence[Path]) -> tuple[list[Path], list[Path], list[Path]]:
    """Files for training, validation and test: the fifth and the tenth of each ten are held out."""
    validation = set(range(4, len(files), 10)) or {len(files) - 2}
    test = set(range(9, len(files), 10)) or {len(files) - 1}
    train = [file for number, file in enumerate(files) if number not in validation | test]
    return train, [files[number] for number in sorted(validation)], [files[number] for number in sorted(test)]


def pg19(config: DataConfig, codec: TextCodec | None = None) -> Corpus:
    """A local copy of PG-19: `train`, `validation` and `test` with one .txt for each book."""
    return _folders(config, data_root("pg19", config.path, ("train", "validation", "test")), codec)


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


def _folders(config: DataConfig, root: Path, codec: TextCodec | None) -> Corpus:
    train, validation, test = (sorted((root / part).rglob("*.txt")) for part in ("train", "validation", "test"))
    for part, found in (("train", train), ("validation", validation), ("test", test)):
        if not found:
            raise UsageError(f"{root / part} holds no .txt files, expected one for each document")
    return _on_disk(config, train, validation, test, codec)


def _on_disk(
    config: DataConfig, train: list[Path], validation: list[Path], test: list[Path], codec: TextCodec | None
) -> Corpus:
    def some() -> list[str]:
        texts, characters = list[str](), 0
        for file in train:
            texts.append(read_text(file))
            characters += len(texts[-1])
            if config.tokens == "pieces" and characters > PIECE_TRAINING_CHARACTERS:
                break
        return texts

    chosen = codec or text_codec(config, some)

    def part(files: list[Path]) -> Documents:
        sizes = [max(1, int(file.stat().st_size / BYTES_PER_TOKEN[config.tokens])) for file in files]
        return OnDisk(files, sizes, lambda file: chosen.encode(read_text(file)))

    return Corpus(chosen, part(train), part(validation), part(test))


LOADERS: Mapping[str, Callable[[DataConfig, TextCodec | None], Corpus]] = {
    "novels": novels,
    "text": user_text,
    "pg19": pg19,
    "wikitext103": wikitext103,
}
