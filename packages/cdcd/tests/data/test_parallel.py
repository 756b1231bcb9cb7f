"""Verses, and the user's parallel files of every form; damaged ones are one-line errors."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from cdcd.config import PairsConfig
from cdcd.data import parallel
from cdcd.data.parallel import Pair, open_pairs, read_lines, read_segments, read_table, verses


def test_verses() -> None:
    found = verses()
    assert len(found) == 30_350
    first = next(verse for verse in found if verse.place == "Gen 1:1")
    assert first.english == "In the beginning God created the heaven and the earth."
    assert first.spanish == "EN el principio crió Dios los cielos y la tierra."
    assert not any(re.search(r"[<>¶&]|  ", verse.english + verse.spanish) for verse in found)
    parts = open_pairs(PairsConfig())
    assert parts.train[0] == Pair(first.english, first.spanish)
    assert open_pairs(PairsConfig(source="es", target="en")).train[0] == Pair(first.spanish, first.english)


@pytest.mark.parametrize("column", [0, 1])
def test_parts_share_no_run_of_eight_words(column: int) -> None:
    parts = open_pairs(PairsConfig())

    def runs(pair: Pair) -> set[str]:
        words = re.findall(r"\w+", pair[column].lower())
        return {" ".join(words[at : at + 8]) for at in range(max(1, len(words) - 7))}

    seen = set.union(*map(runs, parts.train))
    assert not any(runs(pair) & seen for part in parts[1:] for pair in part)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        content = text.encode("utf-8")
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder


SGM = '<refset><doc><seg id="1"> A &amp; B </seg>\n<seg id="2">c\nd</seg></doc></refset>'


def test_files_of_every_form(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "news.de": "eins\n\nzwei  drei\n", "news.en": "one\nmore\ntwo three\n",
            "web.de.gz": "vier\n", "web.en.gz": "four\n",
            "crawl.en-de.tsv": "five\tfünf\n\tleer\nsix\tsechs\t0.9\n",
            "valid.de": "sieben\n", "valid.en": "seven\n",
            "new-src.de.sgm": SGM, "new-ref.en.sgm": SGM,
            "notes.txt": "ignored",
        },
    )  # fmt: skip
    found = open_pairs(PairsConfig("pairs", tmp_path, "de", "en", validation="valid", test="new"))
    assert found.train == [
        Pair("fünf", "five"), Pair("sechs", "six"), Pair("eins", "one"), Pair("zwei drei", "two three"),
        Pair("vier", "four"),
    ]  # fmt: skip
    assert found.validation == [Pair("sieben", "seven")]
    assert found.test == [Pair("A & B", "A & B"), Pair("c d", "c d")]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "has no sentence for train"),
        ({"a.de": "x\n", "a.en": "x\n"}, "no sentence for validation"),
        ({"a.de": "x\ny\n", "a.en": "x\n"}, "has 2 sentences and .* has 1"),
        ({"a.de": "x\n"}, "a.en cannot be read"),
        ({"a.de-en.tsv": "x\n"}, "line 1 has no tab"),
        ({"a-src.de.sgm": "x", "a-ref.en.sgm": SGM}, "no <seg> element"),
    ],
)
def test_wrong_folders(files: dict[str, str], expected: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=expected):
        open_pairs(PairsConfig("pairs", write(tmp_path, files), "de", "en"))


def test_wrong_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        open_pairs(PairsConfig("pairs", tmp_path / "none", "de", "en"))
    (tmp_path / "a.en").write_bytes(b"good\n\xff\n")
    with pytest.raises(UsageError, match="line 2 is not UTF-8"):
        read_lines(tmp_path / "a.en")
    monkeypatch.setattr(parallel, "LONGEST_LINE", 8)
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"x" * 100_000))
    with pytest.raises(UsageError, match="line 1 has more than 8 bytes"):
        read_lines(tmp_path / "b.gz")
    (tmp_path / "c.gz").write_bytes(b"no gzip")
    with pytest.raises(UsageError, match="cannot be read"):
        read_lines(tmp_path / "c.gz")


def message_of(read: Callable[[Path], object], path: Path) -> str:
    """The error of a reader, or nothing; other exceptions fail the test."""
    try:
        read(path)
    except UsageError as error:
        return str(error)
    return ""


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_give_rows_or_one_line(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    for name, read in (("a.en", read_lines), ("a.tsv", read_table), ("a.sgm", read_segments), ("a.gz", read_lines)):
        (folder / name).write_bytes(data)
        assert "\n" not in message_of(read, folder / name)


@pytest.mark.slow
def test_ten_thousand_damaged_files(tmp_path: Path) -> None:
    """Flipped, missing and repeated bytes of each form give rows or an error of ours."""
    generator = np.random.default_rng(0)
    good = {"a.tsv": b"one\teins\n" * 20, "a.sgm": SGM.encode() * 5, "a.gz": gzip.compress(b"one two\n" * 50)}
    readers = {"a.tsv": read_table, "a.sgm": read_segments, "a.gz": read_lines}
    for number in range(10_000):
        name = sorted(good)[number % 3]
        content = bytearray(good[name])
        for _ in range(int(generator.integers(1, 6))):
            at = int(generator.integers(len(content)))
            change = number // 3 % 3
            if change == 0:
                content[at] = int(generator.integers(256))
            elif change == 1:
                content = content[: max(1, at)]
            else:
                content[at:at] = content[at : at + 9]
        (tmp_path / name).write_bytes(content)
        assert "\n" not in message_of(readers[name], tmp_path / name)


@pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("name", "read", "content"),
    [
        ("a.en", read_lines, "Äpfel  und\tBirnen.\n\nzwei\n".encode()),
        ("a.en.gz", read_lines, gzip.compress(b"one line\nand another\n" * 20, mtime=0)),
        ("a.de-en.tsv", read_table, b"eins\tone\tmore\nzwei\ttwo\n\n"),
        (
            "a-src.de.sgm",
            read_segments,
            b'<doc id="1">\n<seg id="1">eins &amp; zwei</seg>\n<seg id="2">drei</seg>\n</doc>\n',
        ),
    ],
)
def test_damaged_files_by_mutation(
    name: str, read: Callable[[Path], object], content: bytes, count: int, tmp_path: Path
) -> None:
    fuzz(read, tmp_path / name, [content], count)
