"""An inspector for trees of audio whose layout is not published, such as Modulate-Sonata and Modulate-Stream.

Names of folders, and the parts of names of files between `_` or `-`, may say who speaks, what is expressed and which
split it is. What comes out is a proposal to check, not a fact.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from onepaper.audio import audio_files
from onepaper.errors import UsageError

from audio_datasets.data.manifests import SPLIT_NAMES, propose_columns
from audio_datasets.data.tables import read_table
from audio_datasets.tasks.definitions import BURST_EMOTIONS, BURST_TYPES, PROSODY_EMOTIONS, SONATA_EMOTIONS

_AFFECT = {
    *(name.lower() for name in (*BURST_EMOTIONS, *BURST_TYPES, *PROSODY_EMOTIONS, *SONATA_EMOTIONS)),
    "neutral", "calm", "happy", "happiness", "joy", "sad", "angry", "fearful", "disgusted", "surprised", "bored",
    "seduction", "ecstasy", "positive_surprise", "negative_surprise",
}  # fmt: skip
_SPEAKER = re.compile(r"(speaker|spk|actor|player|voice|subject|user|id)[ _-]*\w*\d+|[smfp]\d+", re.IGNORECASE)
_SESSION = re.compile(r"(session|sess|stream|recording|day)[ _-]*\w*\d+", re.IGNORECASE)
_TABLES = (".csv", ".tsv")
_SHOWN = 3


class Level(NamedTuple):
    """One place of the paths of a tree that differs from file to file.

    Attributes:
        place: `folder 1`, or `part 2 of the name`.
        values: of each file.
    """

    place: str
    values: tuple[str, ...]

    def share(self, pattern: re.Pattern[str]) -> float:
        """Share of the files whose value has this form."""
        return sum(bool(pattern.fullmatch(value)) for value in self.values) / len(self.values)

    def __str__(self) -> str:
        names = sorted(set(self.values))
        return f"{self.place}: {len(names):,} names, such as {', '.join(names[:_SHOWN])}"


@dataclass(frozen=True)
class Proposal:
    """What the names of a tree seem to say.

    Attributes:
        files: audio, relative to the root.
        roles: attribute of a clip -> the level that gives it.
        tables: other files with columns that are recognised: path -> attribute -> column.
    """

    files: tuple[Path, ...]
    roles: dict[str, Level]
    tables: dict[Path, dict[str, str]]

    def lines(self) -> Iterator[str]:
        """Lines of a manifest with these columns."""
        yield _csv_line(["path", *self.roles])
        for row, path in enumerate(self.files):
            cells = {name: level.values[row] for name, level in self.roles.items()}
            if "split" in cells:
                cells["split"] = SPLIT_NAMES[cells["split"].lower()]
            yield _csv_line([path.as_posix(), *cells.values()])


def inspect_tree(root: Path) -> Proposal:
    """What folders and names of files below `root` seem to say, and the tables beside them.

    A level whose names are splits gives the split. One with names of emotions, or of forms such as `actor_07`, gives
    label or speaker; otherwise, of the folders, the one with more names is proposed as the speaker and the next one as
    the label. Parts of the names of files are used only where all names have equally many.

    Raises:
        UsageError: no audio there.
    """
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder; give the folder of your copy")
    files = tuple(path.relative_to(root) for path in audio_files(root))
    tables = {}
    for path in sorted(path for path in root.rglob("*") if path.suffix.lower() in _TABLES and path.is_file()):
        try:
            columns = propose_columns(read_table(path).columns)
        except UsageError:
            continue
        if "path" in columns or "id" in columns:
            tables[path.relative_to(root)] = columns
    return Proposal(files, _propose_roles(_levels(files)), tables)


def _levels(files: Sequence[Path]) -> list[Level]:
    depth = min(len(path.parts) for path in files) - 1
    found = [Level(f"folder {n + 1}", tuple(path.parts[n] for path in files)) for n in range(depth)]
    parts = [re.split("[_-]+", path.stem) for path in files]
    if len({len(each) for each in parts}) == 1 and len(parts[0]) > 1:
        columns = zip(*parts, strict=True)
        found += [Level(f"part {n + 1} of the name", values) for n, values in enumerate(columns)]
    return [level for level in found if len(set(level.values)) > 1 or level.values[0].lower() in SPLIT_NAMES]


def _propose_roles(levels: list[Level]) -> dict[str, Level]:
    left, roles = list(levels), {}

    def take(name: str, candidates: list[Level]) -> None:
        if name not in roles and candidates:
            roles[name] = candidates[0]
            left.remove(candidates[0])

    def affect(level: Level) -> float:
        return sum(value.lower().replace(" ", "_") in _AFFECT or value.lower() in _AFFECT for value in level.values)

    take("split", [level for level in left if all(value.lower() in SPLIT_NAMES for value in level.values)])
    take("label", [level for level in sorted(left, key=affect, reverse=True) if affect(level) > len(level.values) / 2])
    take("group", [level for level in left if level.share(_SESSION) > 0.5])
    take("speaker", [level for level in left if level.share(_SPEAKER) > 0.5])
    folders = [level for level in left if level.place.startswith("folder")]
    folders.sort(key=lambda level: -len(set(level.values)))
    take("speaker", folders)
    take("label", [level for level in folders if level in left])
    return {name: roles[name] for name in ("speaker", "label", "group", "split") if name in roles}


def _csv_line(cells: list[str]) -> str:
    content = io.StringIO()
    csv.writer(content, lineterminator="").writerow(cells)
    return content.getvalue()
