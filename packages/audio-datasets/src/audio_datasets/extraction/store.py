"""A folder of features: a manifest to which every finished part adds a line, and one file of arrays for each part."""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32
from onepaper.config import differences, parse_json, shortened
from onepaper.errors import OnePaperError, UsageError
from onepaper.fingerprint.marks import unmeasured
from onepaper.foreign.arrays import read_npz
from onepaper.runs import write_atomic

from audio_datasets.data.clips import ClipSet
from audio_datasets.data.feature_files import read_feature_files

MANIFEST = "manifest.jsonl"


class Finished(NamedTuple):
    """A part that is done.

    Attributes:
        number: of the part.
        clips: rows in its file.
        sha256: of its file.
        skipped: id and error of each clip that could not be read.
    """

    number: int
    clips: int
    sha256: str
    skipped: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Finished":
        """The part that a line of JSON describes.

        Raises:
            TypeError, ValueError, KeyError: it describes none.
        """
        fields: dict[str, Any] = dict(values)
        fields["skipped"] = tuple((str(name), str(error)) for name, error in values["skipped"])
        found = cls(**fields)
        if not all(isinstance(fields[name], int) for name in ("number", "clips")):
            raise TypeError(f"a part is {shortened(values)}")
        return found

    @property
    def file(self) -> str:
        """Name of the file of arrays."""
        return f"part-{self.number:06d}.npz"


def write_part(
    folder: Path, number: int, ids: Sequence[str], rows: Sequence[Float32[np.ndarray, " features"]], width: int
) -> Finished:
    """Write the features of a part; the same part gives the same bytes, whoever computes it."""
    content = io.BytesIO()
    values = np.stack(rows) if rows else np.zeros((0, width), np.float32)
    np.savez(content, ids=np.array(ids, np.str_), features=values)
    finished = Finished(number, len(ids), hashlib.sha256(content.getvalue()).hexdigest())
    write_atomic(folder / finished.file, content.getvalue())
    return finished


class Manifest:
    """The manifest of an extraction, which one process writes.

    Args:
        folder: of the features; new, or that of the same extraction.
        head: what is computed; an extraction is continued only with the same.

    Raises:
        UsageError: the folder has features of another source or with other settings, or other files.
    """

    def __init__(self, folder: Path, head: dict[str, Any]) -> None:
        self._path = folder / MANIFEST
        if not self._path.is_file():
            if folder.is_dir() and any(path.name[0] != "." for path in folder.iterdir()):
                raise UsageError(f"{folder} has other files and no {MANIFEST}; give another --output")
            write_atomic(self._path, json.dumps(head) + "\n")
        theirs, self.finished = read_manifest_lines(folder)
        if found := differences(head, theirs):
            raise UsageError(f"{folder} holds features of something else ({'; '.join(found)}); give another --output")
        # A line that a lost process began is completed by none.
        lines = [json.dumps(head), *(json.dumps(each._asdict()) for each in self.finished)]
        write_atomic(self._path, "\n".join(lines) + "\n")

    def add(self, finished: Finished) -> None:
        """Append a part that is done."""
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(finished._asdict()) + "\n")
        except OSError as error:
            raise OnePaperError(f"cannot write {self._path}: {error.strerror}; free space and start again") from None


def read_manifest_lines(folder: Path) -> tuple[dict[str, Any], list[Finished]]:
    """The head, and the parts whose files are there with the size of a complete one.

    Raises:
        UsageError: no manifest, or a damaged one.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise UsageError(f"{path} is missing; `onepaper audio-datasets features --output {folder}` writes it")
    try:
        *complete, _ = path.read_text(encoding="utf-8").split("\n")  # after the last newline: nothing, or half a line
        head, *lines = (parse_json(line.encode(), str(path)) for line in complete)
        if not isinstance(head, dict) or not isinstance(head.get("names"), list):
            raise TypeError("its first line is no head")
        parts = {part.number: part for part in map(Finished.of, lines)}
    except (ValueError, TypeError, KeyError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path} is damaged ({reason:.200}); remove the folder and extract again") from None
    return head, [part for part in parts.values() if (folder / part.file).is_file()]


@dataclass(frozen=True)
class FeatureTable:
    """Features of clips.

    Attributes:
        ids: of the clips.
        values: shape [clips, features].
        names: of the features.
        skipped: clips without features -> why.
    """

    ids: tuple[str, ...]
    values: Float32[np.ndarray, "clips features"]
    names: tuple[str, ...]
    skipped: dict[str, str]

    def matrix(self, clips: ClipSet) -> Float32[np.ndarray, "clips features"]:
        """The rows of these clips in their order, as `clip_matrix` computes them.

        Raises:
            UsageError: a clip has no row.
        """
        row_of = {name: row for row, name in enumerate(self.ids)}
        if missing := [name for name in clips.values("id") if name not in row_of]:
            reason = self.skipped.get(missing[0], "it was not extracted")
            raise UsageError(f"{len(missing):,} clips have no features, first {shortened(missing[0])}: {reason}")
        return self.values[[row_of[name] for name in clips.values("id")]]


def iterate_features(folder: Path) -> Iterator[tuple[tuple[str, ...], Float32[np.ndarray, "clips features"]]]:
    """Ids and features of one part after the other, in order, each file verified against the manifest.

    Raises:
        UsageError: parts are missing, or a file is damaged.
    """
    head, finished = read_manifest_lines(folder)
    if len(finished) != head.get("parts"):
        raise UsageError(
            f"{folder} has {len(finished):,} of {head.get('parts')} parts; the command that began it continues it"
        )
    for part in sorted(finished):
        path = folder / part.file
        if hashlib.sha256(path.read_bytes()).hexdigest() != part.sha256:
            raise UsageError(f"{path} differs from what was written; remove it, and start the extraction again")
        arrays = read_npz(path)
        yield tuple(map(str, arrays["ids"])), arrays["features"]


def read_features(folder: Path | str) -> FeatureTable:
    """All features of a folder.

    Raises:
        UsageError: parts are missing, a file is damaged, or an id is there twice.
    """
    folder = Path(folder)
    head, finished = read_manifest_lines(folder)
    parts = list(iterate_features(folder))
    ids = tuple(name for part, _ in parts for name in part)
    if len(set(ids)) < len(ids):
        twice = next(name for number, name in enumerate(ids) if name in ids[:number])
        raise UsageError(f"{folder} has the clip {shortened(twice)} twice; expected other ids in each shard")
    skipped = dict(pair for part in finished for pair in part.skipped)
    return FeatureTable(ids, np.concatenate([values for _, values in parts]), tuple(head["names"]), skipped)


@unmeasured
def stored_features(
    path: Path, clips: ClipSet, *, strict_official: bool = False
) -> Float32[np.ndarray, "clips features"]:
    """Features of the clips, in their order: of a folder of `extract_features`, or CSV files of a release.

    Arguments as of `read_feature_files`.

    Raises:
        UsageError: a clip without features, or files that cannot be read.
    """
    if (path / MANIFEST).is_file():
        return read_features(path).matrix(clips)
    return read_feature_files(path, clips, strict_official=strict_official)
