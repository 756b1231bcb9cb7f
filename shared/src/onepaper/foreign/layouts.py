"""The folders of public data sets: what their published versions hold, and what a copy on disk lacks.

A package declares the data sets that its presets read as `Layout`s; the verb `data check PATH` compares a folder with
them, by names and numbers of files, within seconds.
"""

import fnmatch
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from onepaper.errors import UsageError

# Sizes are looked up for at most this many files of a part.
_SIZED_FILES = 50_000


@dataclass(frozen=True)
class Part:
    """One part of a data set, such as a split.

    Args:
        name: of the part.
        pattern: of its files in one folder, relative to the data set, e.g. `train/*.txt`.
        files: published number of files; 0 where it depends on the version.
        least_bytes: size of all files that the published part exceeds; 0 where it is not known.
    """

    name: str
    pattern: str
    files: int = 0
    least_bytes: int = 0


@dataclass(frozen=True)
class Finding:
    """A line of the check; `fatal` where the data set cannot be trained on."""

    text: str
    differs: bool = False
    fatal: bool = False


@dataclass(frozen=True)
class Layout:
    """One published form of a data set.

    Args:
        dataset: name in configurations; forms of one data set share it.
        title: name and version, with its source.
        parts: the first one is what the form is recognised by.
        inspect: a deeper look, e.g. into a table of files.
    """

    dataset: str
    title: str
    parts: tuple[Part, ...]
    inspect: Callable[[Path], Iterable[Finding]] | None = None


def recognise(layouts: Sequence[Layout], root: Path) -> Layout:
    """The layout of the folder `root`: the one of which most parts are there.

    Raises:
        UsageError: no such folder, or none of the layouts.
    """
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder; give the folder of a data set")
    there = {layout.title: sum(any(_files(root, part)) for part in layout.parts) for layout in layouts}
    best = max(layouts, key=lambda layout: there[layout.title] / len(layout.parts))
    if not there[best.title]:
        expected = "; ".join(f"{layout.dataset} with {layout.parts[0].pattern}" for layout in layouts)
        raise UsageError(f"{root} has the layout of none of the data sets: {expected}")
    return best


def check_layout(layout: Layout, root: Path) -> Iterator[Finding]:
    """What a copy of a data set has and lacks, one line each, in the order of its parts."""
    for part in layout.parts:
        files = list(_files(root, part))
        if not files:
            yield Finding(f"{part.name}: no file {part.pattern}, expected {part.files or 'at least one'}", True, True)
            continue
        found = f"{part.name}: {len(files):,} file{'' if len(files) == 1 else 's'} {part.pattern}"
        if part.files and len(files) != part.files:
            yield Finding(f"{found}, published are {part.files:,}", True)
        else:
            yield Finding(found)
        if len(files) > _SIZED_FILES:
            continue
        sizes = {file: file.stat().st_size for file in files}
        if empty := [file for file, size in sizes.items() if not size]:
            yield Finding(f"{part.name}: {len(empty):,} empty, first {empty[0].relative_to(root)}", True, True)
        if (total := sum(sizes.values())) < part.least_bytes:
            yield Finding(f"{part.name}: {total:,} bytes, published are more than {part.least_bytes:,}", True)
    if layout.inspect is not None:
        yield from layout.inspect(root)


def _files(root: Path, part: Part) -> Iterator[Path]:
    folder, _, pattern = part.pattern.rpartition("/")
    if (root / folder).is_dir():
        with os.scandir(root / folder) as entries:
            yield from (Path(entry.path) for entry in entries if fnmatch.fnmatch(entry.name, pattern))
