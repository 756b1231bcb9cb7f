"""Corpora of a user: text files and folders as documents in three parts, split before a tokenizer is trained."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from onepaper.errors import UsageError

Item = TypeVar("Item")

PARTS = ("train", "validation", "test")

HELD_OUT_SHARE, SHORTEST = 0.05, 2000
"""Of a text that is cut in time: the share for validation, and for test, at its end; the fewest bytes."""

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Document:
    """A text file, or a span of its bytes, read when needed.

    Attributes:
        path: the file.
        start: first byte.
        stop: byte after the last; None: the end of the file.
    """

    path: Path
    start: int = 0
    stop: int | None = None

    @property
    def size(self) -> int:
        """Number of bytes."""
        return (self.path.stat().st_size if self.stop is None else self.stop) - self.start

    def read_bytes(self) -> bytes:
        """The bytes, exactly as they are in the file.

        Raises:
            UsageError: no such file, or one that cannot be read.
        """
        if not self.path.is_file():
            kind = "is not a file" if self.path.exists() else "does not exist"
            raise UsageError(f"{self.path} {kind}; give the path of a text file or a folder of them")
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                return file.read(-1 if self.stop is None else self.stop - self.start)
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}; give the path of a text file") from None

    def read(self) -> str:
        """The text. Line ends stay as they are in the file; a byte order mark at its start is left out.

        Raises:
            UsageError: the file cannot be read, or is not UTF-8; the message says at which byte.
        """
        content = self.read_bytes()
        mark = len(_BOM) if self.start == 0 and content.startswith(_BOM) else 0
        try:
            return content[mark:].decode("utf-8")
        except UnicodeDecodeError as error:
            at = self.start + mark + error.start
            raise UsageError(f"{self.path} is not UTF-8 text (byte {at}); convert it first") from None


class TextParts(NamedTuple):
    """The documents of a corpus."""

    train: list[Document]
    validation: list[Document]
    test: list[Document]


def read_text(path: Path) -> str:
    """The text of a file, see `Document.read`."""
    return Document(path).read()


def open_text(path: Path) -> TextParts:
    """The documents of a user's file or folder.

    A folder with `train`, `validation` and `test` keeps these parts. In another folder of at least three files, every
    tenth (at least one) is for validation and every tenth for test. One or two files are each cut 90/5/5.

    Raises:
        UsageError: no such path, no files, or a file too short to be cut.
    """
    if path.is_dir() and all((path / part).is_dir() for part in PARTS):
        return part_folders(path)
    files = _text_files(path) if path.is_dir() else [Document(path)]
    return TextParts(*hold_out_tenth(files)) if len(files) >= 3 else _cut(files)


def part_folders(root: Path) -> TextParts:
    """The documents below `train`, `validation` and `test` of a folder.

    Raises:
        UsageError: one of these has no files.
    """
    return TextParts(*(_text_files(root / part) for part in PARTS))


def hold_out_tenth(items: Sequence[Item]) -> tuple[list[Item], list[Item], list[Item]]:
    """Items for training, validation and test: the fifth and the tenth of each ten are held out."""
    test = set(range(9, len(items), 10)) or {len(items) - 1}
    validation = set(range(4, len(items), 10)) - test or {len(items) - 2}
    train = [item for number, item in enumerate(items) if number not in validation | test]
    return train, [items[number] for number in sorted(validation)], [items[number] for number in sorted(test)]


def _text_files(folder: Path) -> list[Document]:
    files = sorted(file for file in folder.rglob("*.txt") if file.is_file() and not file.name.startswith("."))
    if not files:
        raise UsageError(f"{folder} holds no .txt files, expected one for each document")
    return [Document(file) for file in files]


def _cut(documents: Iterable[Document]) -> TextParts:
    parts = TextParts([], [], [])
    for document in documents:
        content = document.read_bytes()
        size = len(content)
        if size < SHORTEST:
            raise UsageError(
                f"{document.path} has {size} bytes, expected at least {SHORTEST}: two parts of 5% are held out"
            )
        cuts = [0, *(_boundary(content, round(size * (1 - count * HELD_OUT_SHARE))) for count in (2, 1)), size]
        for part, start, stop in zip(parts, cuts[:-1], cuts[1:], strict=True):
            part.append(Document(document.path, start, stop))
    return parts


def _boundary(content: bytes, at: int) -> int:
    """`at`, or the first byte of the UTF-8 character that it is inside of."""
    while at and content[at] & 0b1100_0000 == 0b1000_0000:
        at -= 1
    return at
