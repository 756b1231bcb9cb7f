"""Samples as one page: pictures, sound players and text of a folder, the newest first."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onepaper.display.html import render
from onepaper.runs import write_atomic

PAGE_NAME = "index.html"


def save_samples(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by name, each atomically."""
    for name, content in files.items():
        write_atomic(folder / name, content)


def write_gallery(folder: Path, title: str) -> Path:
    """`index.html` for the files of a folder and of the folders in it, which make a section each.

    Files that differ in their ending only belong together: `sample-0.png` is shown above the player of `sample-0.wav`
    and a link to `sample-0.mid`. Of PNG files the page shows the picture, of WAV files a player, of text the text.

    Raises:
        OnePaperError: the disk is full or the folder cannot be written.
    """
    inner = sorted((path for path in folder.iterdir() if path.is_dir()), key=_by_number, reverse=True)
    sections = [
        {"title": "" if part == folder else part.name, "items": _items(part, folder)} for part in (folder, *inner)
    ]
    page = folder / PAGE_NAME
    shown = [section for section in sections if section["items"]]
    write_atomic(page, render("gallery.html.j2", title=title, sections=shown))
    return page


def _items(part: Path, folder: Path) -> list[dict[str, Any]]:
    """The files of one section, by what their names have in common."""
    items: dict[str, list[dict[str, str]]] = {}
    paths = (path for path in part.iterdir() if path.is_file() and not path.name.startswith("."))
    for path in sorted(paths, key=_by_number):
        if path.name in (PAGE_NAME, "run.json"):
            continue
        kind = {".png": "picture", ".wav": "sound", ".txt": "text"}.get(path.suffix, "link")
        text = path.read_text(encoding="utf-8", errors="replace") if kind == "text" else ""
        file = {"kind": kind, "name": path.name, "path": path.relative_to(folder).as_posix(), "text": text}
        items.setdefault(path.stem, []).append(file)
    return [{"name": name, "files": files} for name, files in items.items()]


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Sort keys in which sample-10 comes after sample-9, and a picture before what belongs to it."""
    parts = re.split(r"(\d+)", path.stem)
    order = [(int(part), "") if part.isdigit() else (0, part) for part in parts]
    return [*order, (0, "" if path.suffix == ".png" else path.suffix)]
