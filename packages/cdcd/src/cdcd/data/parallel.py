"""Pairs of sentences: verses that ship with the package, and the user's parallel files."""

import gzip
import html
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from onepaper.data import embedded
from onepaper.errors import UsageError
from onepaper.fingerprint.marks import unmeasured

from cdcd.config import PairsConfig

# A line of more bytes is no sentence; it would not fit into memory either.
LONGEST_LINE = 100_000

_SEGMENT = re.compile(r"<seg\b[^>]*>(.*?)</seg>", re.DOTALL | re.IGNORECASE)


class Pair(NamedTuple):
    """A sentence and its translation."""

    source: str
    target: str


class Pairs(NamedTuple):
    """Sentences by use."""

    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]


class Verse(NamedTuple):
    """A verse in both languages."""

    part: str
    place: str
    english: str
    spanish: str


@cache
def verses() -> tuple[Verse, ...]:
    """The 30,350 verses that ship with the package: King James Version and Reina-Valera of 1909.

    Of every twenty chapters, one is for validation and one for the test, without the verses that share eight words in a
    row with the training part, in either language.
    """
    content = lzma.decompress(embedded("cdcd", "verses.tsv.xz").read_bytes()).decode("utf-8")
    return tuple(Verse(*line.split("\t")) for line in content.splitlines())


def open_pairs(config: PairsConfig) -> Pairs:
    """The parts of parallel text.

    Raises:
        UsageError: missing, unreadable or unequal files, or a part without a sentence.
    """
    if config.dataset == "pairs":
        return _read_folder(config)
    found = Pairs([], [], [])
    for verse in verses():
        texts = verse.english, verse.spanish
        getattr(found, verse.part).append(Pair(*(texts if config.source == "en" else texts[::-1])))
    return found


@unmeasured
def _read_folder(config: PairsConfig) -> Pairs:
    folder = config.path
    assert folder is not None
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; give one with files of parallel text in it")
    parts: dict[str, list[Pair]] = {config.validation: [], config.test: [], "": []}
    for name, pairs in _read_files(folder, config.source, config.target):
        parts[name if name in parts else ""] += pairs
    found = Pairs(parts[""], parts[config.validation], parts[config.test])
    for name, part, part_pairs in zip(Pairs._fields, ("NAME", config.validation, config.test), found, strict=True):
        if not part_pairs:
            raise UsageError(
                f"{folder} has no sentence for {name}, expected files such as {part}.{config.source} and "
                f"{part}.{config.target}"
            )
    return found


def _read_files(folder: Path, source: str, target: str) -> Iterator[tuple[str, list[Pair]]]:
    """Names of files and their pairs, in the order of names."""
    names = {path.name: path for path in sorted(folder.iterdir())}
    for name, path in names.items():
        for suffix in (".tsv", ".tsv.gz"):
            for first, second in ((source, target), (target, source)):
                if name.endswith(f".{first}-{second}{suffix}"):
                    pairs = read_table(path)
                    stem = name.removesuffix(f".{first}-{second}{suffix}")
                    yield stem, pairs if first == source else [Pair(*pair[::-1]) for pair in pairs]
        for first, second, read in (
            (f".{source}", f".{target}", read_lines),
            (f".{source}.gz", f".{target}.gz", read_lines),
            (f"-src.{source}.sgm", f"-ref.{target}.sgm", read_segments),
        ):
            if name.endswith(first) and (stem := name.removesuffix(first)):
                yield stem, _align(path, folder / f"{stem}{second}", read)


def _align(source: Path, target: Path, read: Callable[[Path], list[str]]) -> list[Pair]:
    """Pairs of equal line numbers; those with an empty side are left out."""
    first, second = read(source), read(target)
    if len(first) != len(second):
        raise UsageError(f"{source} has {len(first)} sentences and {target} has {len(second)}, expected as many")
    return [Pair(*pair) for pair in zip(first, second, strict=True) if all(pair)]


def read_rows(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file, compressed or not.

    Raises:
        UsageError: a file that is missing, damaged or not UTF-8, or a line of more than `LONGEST_LINE` bytes.
    """
    number = 1
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            # The size is bounded, because a few bytes of gzip can be gigabytes of one line.
            while line := file.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    raise UsageError(f"{path}: line {number} has more than {LONGEST_LINE:,} bytes; split it")
                yield line.decode("utf-8")
                number += 1
    except UnicodeDecodeError:
        raise UsageError(f"{path}: line {number} is not UTF-8; convert the file") from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path} cannot be read ({reason}); copy it again") from None


def read_lines(path: Path) -> list[str]:
    """The lines of a file with single spaces; errors as of `read_rows`."""
    return [" ".join(line.split()) for line in read_rows(path)]


def read_table(path: Path) -> list[Pair]:
    """The first two columns of a file with tabs; rows with an empty one are left out.

    Raises:
        UsageError: as of `read_rows`, or a row of one column.
    """
    found = []
    for number, line in enumerate(read_rows(path), 1):
        columns = [" ".join(column.split()) for column in line.split("\t")]
        if len(columns) < 2 and line.strip():
            raise UsageError(f"{path}: line {number} has no tab, expected a sentence, a tab and its translation")
        if all(columns[:2]):
            found.append(Pair(*columns[:2]))
    return found


def read_segments(path: Path) -> list[str]:
    """The `<seg>` elements of an SGML file of WMT.

    Raises:
        UsageError: as of `read_rows`, or no segment.
    """
    found = _SEGMENT.findall("\n".join(read_lines(path)))
    if not found:
        raise UsageError(f"{path} has no <seg> element, expected the SGML format of WMT")
    return [" ".join(html.unescape(text).split()) for text in found]
