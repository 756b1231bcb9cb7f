"""Tokenizers of text behind one protocol: bytes, characters, words; SentencePiece is in `sentence_pieces`.

Ids run from 0 to the size of the vocabulary and none is reserved: a paper that needs ids for padding or masks puts them
in front and adds an offset. A vocabulary is learned from the training part of a corpus (see `corpora`), depends on
nothing but its texts, and is saved beside the weights of a network.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, Integer

from onepaper.config import check_choice
from onepaper.errors import UsageError

Tokens = Int[np.ndarray, " tokens"]

KINDS = ("bytes", "characters", "words", "pieces")

CHARACTERS_NAME, WORDS_NAME, PIECES_NAME = "characters.txt", "words.txt", "pieces.model"
"""Names of saved files."""

UNKNOWN, LINE_END = "<unk>", "<eos>"
"""Words that stand for unknown words and for the end of a line, as in Wikitext-103."""


@runtime_checkable
class Tokenizer(Protocol):
    """Text as ids and back."""

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        ...

    def encode(self, text: str) -> Tokens:
        """The ids (int32); a `UsageError` where the vocabulary or UTF-8 cannot write the text."""
        ...

    def decode(self, tokens: Tokens) -> str:
        """The text; a `UsageError` where an id is outside the vocabulary."""
        ...

    def saved_files(self) -> dict[str, bytes]:
        """What `open_tokenizer` needs, by file name."""
        ...


class ByteTokenizer:
    """Bytes of UTF-8, or any bytes: ids 0 to 255."""

    vocab_size = 256

    def encode(self, text: str | bytes) -> Tokens:
        """Bytes as they are, a text as UTF-8."""
        return np.frombuffer(text if isinstance(text, bytes) else utf8(text), np.uint8).astype(np.int32)

    def decode(self, tokens: Tokens) -> str:
        """The text; invalid UTF-8 becomes the replacement character."""
        return self.decode_bytes(tokens).decode("utf-8", errors="replace")

    def decode_bytes(self, tokens: Tokens) -> bytes:
        """The bytes, exactly."""
        return check_ids(tokens, self.vocab_size).astype(np.uint8).tobytes()

    def saved_files(self) -> dict[str, bytes]:
        """No files."""
        return {}


class CharacterTokenizer:
    """Characters (code points) of a given alphabet.

    Args:
        characters: the alphabet, in the order of the ids.

    Raises:
        UsageError: no characters, or one that is there twice.
    """

    def __init__(self, characters: str) -> None:
        self.characters, self.vocab_size = characters, len(characters)
        self._id_of = {character: number for number, character in enumerate(characters)}
        if not characters or len(self._id_of) < len(characters):
            raise UsageError(f"an alphabet is {characters[:40]!r}, expected at least one character and none twice")

    @classmethod
    def learn(cls, texts: Iterable[str]) -> "CharacterTokenizer":
        """All characters of some texts, by code point."""
        return cls("".join(sorted(set().union(*map(set, texts)))))

    def encode(self, text: str) -> Tokens:
        """One id for each character."""
        try:
            return np.array([self._id_of[character] for character in text], np.int32)
        except KeyError as error:
            at = text.index(error.args[0])
            raise UsageError(
                f"text has {text[at]!r} at character {at}, expected only characters of {self.characters[:80]!r}"
            ) from None

    def decode(self, tokens: Tokens) -> str:
        """The text, exactly."""
        return "".join(self.characters[number] for number in check_ids(tokens, self.vocab_size))

    def saved_files(self) -> dict[str, bytes]:
        """The alphabet."""
        return {CHARACTERS_NAME: utf8(self.characters)}


class WordTokenizer:
    """Words between spaces, and a word at the end of each line, as in Wikitext-103.

    Not exact: unknown words become `<unk>`, runs of spaces one space, and every line has an end.

    Args:
        words: the vocabulary; its first entry stands for unknown words.

    Raises:
        UsageError: another first entry, a word that is there twice, or one that is empty or has a space inside.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words, self.vocab_size = list(words), len(words)
        self._id_of = {word: number for number, word in enumerate(self.words)}
        wrong = [word for at, word in enumerate(self.words) if word.split() != [word] or self._id_of[word] != at]
        if self.words[:1] != [UNKNOWN] or wrong:
            found = f"has {wrong[0][:40]!r}" if wrong else f"begins with {self.words[:1]!s:.50}"
            raise UsageError(f"a vocabulary {found}, expected '{UNKNOWN}' and then words, none twice or with a space")

    @classmethod
    def learn(cls, texts: Iterable[str], vocab_size: int | None = None) -> "WordTokenizer":
        """The words of some texts by frequency (ties by code point); with `vocab_size` only so many entries."""
        counts = Counter(word for text in texts for word in split_words(text))
        counts.pop(UNKNOWN, None)
        return cls([UNKNOWN, *sorted(counts, key=lambda word: (-counts[word], word))][:vocab_size])

    def encode(self, text: str) -> Tokens:
        """Words and line ends."""
        return np.array([self._id_of.get(word, 0) for word in split_words(text)], np.int32)

    def decode(self, tokens: Tokens) -> str:
        """Words with spaces between them, and lines."""
        lines: list[list[str]] = [[]]
        for number in check_ids(tokens, self.vocab_size):
            if self.words[number] == LINE_END:
                lines.append([])
            else:
                lines[-1].append(self.words[number])
        return "\n".join(" ".join(line) for line in lines)

    def saved_files(self) -> dict[str, bytes]:
        """The vocabulary, a word on each line."""
        return {WORDS_NAME: utf8("\n".join(self.words))}


def open_tokenizer(kind: str, read: Callable[[str], bytes]) -> Tokenizer:
    """The tokenizer that `saved_files` describes.

    Args:
        kind: one of `KINDS`.
        read: gives the content of a file by its name.

    Raises:
        UsageError: another kind, or a file that is no vocabulary.
    """
    check_choice("kind of tokenizer", kind, KINDS)
    if kind == "bytes":
        return ByteTokenizer()
    if kind == "pieces":
        from onepaper.text.sentence_pieces import PieceTokenizer

        return PieceTokenizer(read(PIECES_NAME))
    name = CHARACTERS_NAME if kind == "characters" else WORDS_NAME
    try:
        text = read(name).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8 text (byte {error.start}), expected a saved vocabulary") from None
    return CharacterTokenizer(text) if kind == "characters" else WordTokenizer(text.splitlines())


def split_words(text: str) -> list[str]:
    """Words between spaces, and `<eos>` at the end of each line."""
    return [word for line in text.splitlines() for word in (*line.split(), LINE_END)]


def utf8(text: str) -> bytes:
    """A text as UTF-8.

    Raises:
        UsageError: a lone surrogate, which Python puts in place of what is not UTF-8 on a command line.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        at = error.start
        raise UsageError(f"text has the lone surrogate {text[at]!r} at character {at}, expected Unicode text") from None


def check_ids(tokens: Integer[np.ndarray, " tokens"], vocab_size: int) -> Integer[np.ndarray, " tokens"]:
    """The ids, or a `UsageError` where one is outside the vocabulary."""
    ids = np.asarray(tokens)
    if ids.size and (ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() >= vocab_size):
        raise UsageError(f"ids are {ids.dtype} from {ids.min()} to {ids.max()}, expected integers below {vocab_size}")
    return ids
