"""Features that came with a release, as CSV files of openSMILE, DeepSpectrum, openXBOW, auDeep or wav2vec2.

A-VB and ExVo have a folder with one file for each clip (`features/SET/ID.csv`, `feats/SET/ID.csv`), ComParE 2023 one
file with a row for each clip (`features/SET/features.csv`).
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32
from onepaper.config import shortened
from onepaper.errors import UsageError
from onepaper.progress import track

from audio_datasets.data.clips import ClipSet

TABLE = "features.csv"
# Columns beside the name of the clip that openSMILE, auDeep and DeepSpectrum write and that are no features.
_OTHER = {"frametime", "timestamp", "chunk_nr", "label_nominal", "label_numeric", "label", "class"}
# A row of 6,373 numbers has 130,000 characters.
_MAX_LINE = 2**22
_MAX_VALUES = 2**31


class _Row(NamedTuple):
    """A row of numbers with the name in its first cell, and where it stands."""

    name: str
    where: str
    values: Float32[np.ndarray, " features"]


def read_feature_files(
    path: Path, clips: ClipSet, *, strict_official: bool = False
) -> Float32[np.ndarray, "clips features"]:
    """Features of the clips, in their order; rows of other clips are left out.

    The first cell of a row is the name of the clip, with or without a folder, an ending or brackets; columns of times
    and labels are left out. Files are read row by row, and no audio is needed.

    Args:
        path: a folder with `ID.csv` for each clip, or a CSV with a row for each clip, or its folder.
        clips: what the rows are for.
        strict_official: of several rows of a clip take the last one, as the official code of A-VB; otherwise they are
            an error.

    Raises:
        UsageError: no such path, a clip without features or with several rows, rows of unequal length, a cell that is
            no finite number, or more values than fit into 8 GiB.
    """
    if (path / TABLE).is_file():
        path = path / TABLE
    row_of = {clip.id: row for row, clip in enumerate(clips)}
    if path.is_dir():
        shown = track(clips, "reading features", total=len(clips), unit="clip")
        rows = ((clip.id, row) for clip in shown for row in _rows(path / f"{clip.id}.csv"))
    elif path.is_file():
        rows = ((_clip_of(row.name, row_of), row) for row in _rows(path))
    else:
        raise UsageError(f"{path} does not exist; give a folder with a CSV for each clip, or a CSV with a row for each")
    found, seen = np.zeros((0, 0), np.float32), np.zeros(len(clips), bool)
    for name, (_, where, values) in rows:
        if name not in row_of:
            continue
        if not seen.any():
            if len(clips) * len(values) > _MAX_VALUES:
                raise UsageError(
                    f"{path} has {len(values):,} features of {len(clips):,} clips, which is more than 8 GiB"
                )
            found = np.zeros((len(clips), len(values)), np.float32)
        if len(values) != found.shape[1]:
            raise UsageError(f"{where} has {len(values):,} features, expected {found.shape[1]:,} as in the first row")
        if seen[row_of[name]] and not strict_official:
            raise UsageError(
                f"{where} is another row of the clip {shortened(name)}, expected one; strict_official takes the last"
            )
        found[row_of[name]], seen[row_of[name]] = values, True
    if not seen.all():
        missing = [clip.id for clip, there in zip(clips, seen, strict=True) if not there]
        raise UsageError(f"{path} has no features of {len(missing):,} clips, first {shortened(missing[0])}")
    return found


def _clip_of(name: str, row_of: dict[str, int]) -> str:
    """The id that a first cell names."""
    bare = PurePosixPath(name.strip("[]"))
    return next((each for each in (name, bare.name, bare.stem) if each in row_of), "")


def _rows(path: Path) -> Iterator[_Row]:
    """Rows of a CSV without its header; in a file without one, the last cell of the first line is a number."""
    kept: list[int] | None = None
    names: list[str] = []
    delimiter = ","
    for line, text in _lines(path):
        if kept is None:
            delimiter = max(",;\t", key=text.count)
        cells = [cell.strip(" '\"") for cell in text.split(delimiter)]
        if kept is None:
            names = cells if not _is_number(cells[-1]) else [f"column {place}" for place in range(1, len(cells) + 1)]
            kept = [place for place, name in enumerate(names) if place and name.lower() not in _OTHER]
            if not kept:
                raise UsageError(f"{path} has no columns of features; expected a name and numbers in each row")
            if names is cells:
                continue
        where = f"{path}, line {line}"
        if len(cells) != len(names):
            raise UsageError(f"{where} has {len(cells):,} cells, expected {len(names):,}")
        yield _Row(cells[0], where, _numbers([cells[place] for place in kept], [names[place] for place in kept], where))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not empty, with their numbers."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            line = 0
            while text := file.readline(_MAX_LINE):
                line += 1
                if len(text) == _MAX_LINE:
                    raise UsageError(f"{path}, line {line} has more than {_MAX_LINE:,} characters, expected features")
                if text.strip():
                    yield line, text.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 (byte {error.start}); give features as CSV") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({getattr(error, 'strerror', error)}); expected a CSV") from None


def _numbers(cells: list[str], names: list[str], where: str) -> Float32[np.ndarray, " features"]:
    values = np.full(1, np.nan, np.float32)
    if "_" not in "".join(cells):  # Python reads 1_0 as a number
        with suppress(ValueError), np.errstate(over="ignore"):
            values = np.array(cells, np.float64).astype(np.float32)
    if not np.isfinite(values).all():
        place = next((place for place, cell in enumerate(cells) if not _is_number(cell)), 0)
        raise UsageError(
            f"{where} has {shortened(cells[place])} as {shortened(names[place])}, expected a finite number"
        )
    return values


def _is_number(cell: str) -> bool:
    try:
        with np.errstate(over="ignore"):
            return "_" not in cell and bool(np.isfinite(np.float32(cell)))
    except (ValueError, OverflowError):
        return False
