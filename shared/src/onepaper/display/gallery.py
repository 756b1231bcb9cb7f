"""Samples as one page: pictures, sound players and text of a folder, the newest first."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from onepaper.config import read_json
from onepaper.display.html import render
from onepaper.errors import UsageError
from onepaper.runs import RECORD_NAME, write_atomic

PAGE_NAME = "index.html"
GIVEN_SUFFIX = ".given.txt"
"""`NAME.given.txt` says which characters of `NAME.txt` were given: those that are equal in both at the same index"""


@dataclass(frozen=True)
class File:
    """One file on a page."""

    name: str
    address: str
    """for `src` and `href`: a quoted relative path, or a data URI"""
    kind: str = "link"
    parts: Sequence[tuple[str, bool]] = ()
    """of a text: its parts, each with whether it was given"""
    is_link: bool = True
    """whether the caption links to it"""


@dataclass(frozen=True)
class Item:
    """Files that belong together, such as a picture, its sound and its notes."""

    files: Sequence[File]
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """Items under one heading."""

    items: Sequence[Item]
    title: str = ""
    command: str = ""


def save_samples(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by name, each atomically."""
    for name, content in files.items():
        write_atomic(folder / name, content)


def write_gallery(folder: Path, title: str) -> Path:
    """`index.html` for the files of a folder and of the folders in it, which make a section each.

    Files that differ in their ending only belong together: `sample-0.png` is shown above the player of `sample-0.wav`
    and a link to `sample-0.mid`. Of PNG files the page shows the picture, of WAV files a player, of text the text, in
    which the characters of a `sample-0.given.txt` are marked. The command is that of the run in the folder or above it.

    Raises:
        OnePaperError: the disk is full or the folder cannot be written.
    """
    inner = sorted((path for path in folder.iterdir() if path.is_dir()), key=_by_number, reverse=True)
    parts = [Section(_items(part, folder), "" if part == folder else part.name) for part in (folder, *inner)]
    return write_page(folder, title, [section for section in parts if section.items])


def write_page(folder: Path, title: str, sections: Sequence[Section], lead: str = "") -> Path:
    """`index.html` with these sections below the title, a line of text, and the command of the run.

    Raises:
        OnePaperError: the disk is full or the folder cannot be written.
    """
    files = [file for section in sections for item in section.items for file in item.files]
    has_given = any(given for file in files for _, given in file.parts)
    page = folder / PAGE_NAME
    content = render(
        "gallery.html.j2", title=title, lead=lead, command=_command(folder), has_given=has_given, sections=sections
    )
    write_atomic(page, content)
    return page


def _command(folder: Path) -> str:
    """Of the run in the folder, or of the run that the folder is a part of; empty where there is none."""
    for path in (folder / RECORD_NAME, folder.parent / RECORD_NAME):
        try:
            return str(read_json(path, "run record")["command"])
        except (UsageError, KeyError, TypeError):
            continue
    return ""


def _items(part: Path, folder: Path) -> list[Item]:
    """The files of one section, by what their names have in common."""
    items: dict[str, list[File]] = {}
    paths = (path for path in part.iterdir() if path.is_file() and not path.name.startswith("."))
    for path in sorted(paths, key=_by_number):
        if path.name in (PAGE_NAME, RECORD_NAME) or path.name.endswith(GIVEN_SUFFIX):
            continue
        kind = {".png": "picture", ".wav": "sound", ".txt": "text"}.get(path.suffix, "link")
        address = quote(path.relative_to(folder).as_posix())
        file = File(path.name, address, kind, _parts(path) if kind == "text" else ())
        items.setdefault(path.stem, []).append(file)
    return [Item(files) for files in items.values()]


def _parts(path: Path) -> list[tuple[str, bool]]:
    """A text in parts that were given and parts that were not."""
    text = path.read_text(encoding="utf-8", errors="replace")
    given_file = path.with_name(path.name.removesuffix(".txt") + GIVEN_SUFFIX)
    given = given_file.read_text(encoding="utf-8", errors="replace") if given_file.exists() else ""
    pairs = itertools.zip_longest(text, given[: len(text)])
    runs = itertools.groupby(pairs, key=lambda pair: pair[0] == pair[1])
    return [("".join(character for character, _ in run), equal) for equal, run in runs]


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Sort keys in which sample-10 comes after sample-9, and a picture before what belongs to it."""
    parts = re.split(r"(\d+)", path.stem)
    order = [(int(part), "") if part.isdigit() else (0, part) for part in parts]
    return [*order, (0, "" if path.suffix == ".png" else path.suffix)]
