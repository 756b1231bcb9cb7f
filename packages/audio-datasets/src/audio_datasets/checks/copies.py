"""What a copy of a data set has, and how it differs from what is published about it."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from onepaper.errors import OnePaperError
from onepaper.foreign.layouts import Finding
from onepaper.progress import track

from audio_datasets.catalogue.records import Record
from audio_datasets.checks.recordings import Recording, examine, recording_findings
from audio_datasets.data.clips import ClipSet, overlap

_READERS, _SHOWN = 8, 3
_ROUNDED = 0.01
"""seconds by which the end of a clip may exceed that of its file, as tables round"""


def check_clips(clips: ClipSet, record: Record | None, *, decode: bool = True) -> Iterator[Finding]:
    """Findings, one line each: counts, hours, splits, labels, leakage, duplicates, and the state of the files.

    Args:
        clips: the copy.
        record: what the catalogue says; None compares nothing.
        decode: decode every file; otherwise only headers are read.
    """
    paths = sorted({clip.path for clip in clips})
    yield from _counts(clips, record)
    yield from _labels(clips)
    yield from _leakage(clips)
    recordings, problems = _recordings(paths, decode)
    if problems:
        shown = " | ".join(problems[:_SHOWN])
        yield Finding(f"{len(problems):,} of {len(paths):,} files cannot be read: {shown}", True, True)
    else:
        yield Finding(f"{len(paths):,} files are readable{'' if decode else ' (headers only)'}")
    yield from recording_findings(recordings)
    yield from _segments(clips, recordings)
    yield from _hours(clips, recordings, record)
    yield from _duplicates(clips, [path for path in paths if path in recordings])


def _counts(clips: ClipSet, record: Record | None) -> Iterator[Finding]:
    speakers = {clip.speaker for clip in clips if clip.speaker}
    for what, found, published in (
        ("clips", len(clips), record.clips if record else None),
        ("speakers", len(speakers), record.speakers if record else None),
    ):
        differs = published is not None and found != published
        yield Finding(f"{found:,} {what}" + (f", published are {published:,}" if differs else ""), differs)
    splits = Counter(clip.split or "no split" for clip in clips)
    published_splits = (record.splits if record else None) or {}
    differs = any(splits.get(name) != count for name, count in published_splits.items())
    words = ", ".join(f"{name} {count:,}" for name, count in sorted(splits.items()))
    expected = ", ".join(f"{name} {count:,}" for name, count in sorted(published_splits.items()))
    yield Finding(f"splits: {words}" + (f"; published are {expected}" if differs else ""), differs)


def _labels(clips: ClipSet) -> Iterator[Finding]:
    if clips.classes:
        counts = Counter(clip.label or "no class" for clip in clips)
        yield Finding("classes: " + ", ".join(f"{name} {counts[name]:,}" for name in counts))
    if clips.targets:
        ratings = clips.ratings()
        present = ~np.isnan(ratings).all(axis=1)
        if not present.any():
            yield Finding("no clip has ratings", True, True)
            return
        low, high = float(np.nanmin(ratings)), float(np.nanmax(ratings))
        outside = not (low >= 0 and high <= 1)
        yield Finding(
            f"ratings of {len(clips.targets)} targets from {low:.3g} to {high:.3g}, {int(present.sum()):,} clips"
            + ("; expected 0 to 1" if outside else ""),
            outside,
        )


def _leakage(clips: ClipSet) -> Iterator[Finding]:
    if not any(clip.speaker for clip in clips):
        yield Finding("speakers are not known, so that the split cannot be checked", True)
        return
    if not any(clip.split for clip in clips):
        return
    shared = overlap(clips)
    if shared:
        yield Finding(f"{len(shared):,} speakers are in several splits, first {next(iter(shared))}", True)
    else:
        yield Finding("no speaker is in several splits")


def _recordings(paths: list[Path], decode: bool) -> tuple[dict[Path, Recording], list[str]]:
    def measure(path: Path) -> Recording | str:
        try:
            return examine(path, decode)
        except OnePaperError as error:
            return str(error)

    with ThreadPoolExecutor(_READERS) as pool:
        found = list(track(pool.map(measure, paths), "reading audio", total=len(paths), unit="file"))
    recordings = {path: value for path, value in zip(paths, found, strict=True) if isinstance(value, Recording)}
    return recordings, [value for value in found if isinstance(value, str)]


def _segments(clips: ClipSet, recordings: dict[Path, Recording]) -> Iterator[Finding]:
    """Parts of files that are not in them."""
    begin, end = [], []
    for clip in clips:
        length = recordings[clip.path].seconds if clip.path in recordings else np.inf
        if clip.start >= length:
            begin.append(clip.id)
        elif clip.start + (clip.seconds or 0.0) > length + _ROUNDED:
            end.append(clip.id)
    for what, ids in (("begin", begin), ("end", end)):
        if ids:
            yield Finding(f"{len(ids):,} clips {what} after the end of their file, first {ids[0]}", True, ids is begin)


def _hours(clips: ClipSet, recordings: dict[Path, Recording], record: Record | None) -> Iterator[Finding]:
    total = 0.0
    for clip in clips:
        rest = recordings[clip.path].seconds - clip.start if clip.path in recordings else 0.0
        total += max(0.0, rest if clip.seconds is None else min(rest, clip.seconds))
    published = record.hours if record else None
    differs = published is not None and abs(total / 3600 - published) > 0.01 * published
    words = f"{total / 3600:.2f} hours" if total > 3600 else f"{total:.1f} seconds"
    expected = f", published are {published:.2f} hours" if published is not None and differs else ""
    yield Finding(words + expected, differs)


def _duplicates(clips: ClipSet, paths: list[Path]) -> Iterator[Finding]:
    """Byte-identical files; in two splits they are leakage."""
    by_content = defaultdict(list)
    for path in paths:
        with path.open("rb") as file:
            by_content[hashlib.file_digest(file, "sha256").hexdigest()].append(path)
    groups = [files for files in by_content.values() if len(files) > 1]
    if not groups:
        yield Finding("no file is a copy of another one")
        return
    copies = sum(len(files) - 1 for files in groups)
    splits = defaultdict(set)
    for clip in clips:
        splits[clip.path].add(clip.split)
    crossing = sum(len({split for path in files for split in splits[path]}) > 1 for files in groups)
    words = f"{copies:,} files are byte-identical copies, first {groups[0][1].name} of {groups[0][0].name}"
    yield Finding(words + (f"; {crossing:,} contents are in several splits" if crossing else ""), True)
