"""AudioSet, Birdsong, TUT18 and ESC-50 (paper, table 1: environment)."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from onepaper.audio import audio_files
from onepaper.errors import UsageError

from hares.data.tasks import task_of
from hares.suite.records import SuiteClip, SuiteData, cell, index_of, inside, present, read_lines, read_rows

_SEGMENTS = {
    "balanced_train_segments.csv": "train",
    "unbalanced_train_segments.csv": "train",
    "eval_segments.csv": "test",
}
_BIRD_TABLES = ("ff1010bird_metadata.csv", "warblrb10k_public_metadata.csv", "BirdVoxDCASE20k_csvpublic.csv")
_SCENES = (
    *("airport", "bus", "metro", "metro_station", "park", "public_square", "shopping_mall", "street_pedestrian"),
    *("street_traffic", "tram"),
)


def load_audioset(root: Path) -> SuiteData:
    """AudioSet: `class_labels_indices.csv`, the tables of segments that are there, and files named by the video's id.

    The ids may begin with a Y. Clips that the copy lacks are counted.

    Raises:
        UsageError: a missing or damaged table, or an unknown label.
    """
    table = root / "class_labels_indices.csv"
    rows = list(read_rows(table))
    ids, names = ([cell(row, column, table) for row in rows] for column in ("mid", "display_name"))
    files = {path.stem.removeprefix("Y") if len(path.stem) == 12 else path.stem: path for path in audio_files(root)}
    number = {mid: index for index, mid in enumerate(ids)}

    def clips() -> Iterator[SuiteClip]:
        for name, part in _SEGMENTS.items():
            if not (root / name).is_file():
                continue
            for row in read_rows(root / name, columns=("id", "start", "end", "labels")):
                mids = row["labels"].strip().strip('"').split(",")
                if unknown := [mid for mid in mids if mid not in number]:
                    raise UsageError(f"{root / name} has the label {unknown[0][:40]!r}, which {table.name} lacks")
                path = files.get(row["id"], root / f"{row['id']}.wav")
                yield SuiteClip(path, part, tuple(sorted(number[mid] for mid in mids)), row["id"])

    found, missing = present(clips())
    return SuiteData(task_of("audioset"), found, (tuple(names),), missing=missing)


def load_birdsong(root: Path) -> SuiteData:
    """Birdsong: the three tables of the DCASE 2018 development set, files named by their item.

    The paper's split is that of Tagliasacchi et al. (2020), whose lists its repository links to: `train.txt` and
    `test.txt` of item ids below `root`. Without them, a tenth of the items by a hash of the id is the test.

    Raises:
        UsageError: no table, or a damaged one.
    """
    tables = [root / name for name in _BIRD_TABLES if (root / name).is_file()]
    if not tables:
        raise UsageError(f"{root} has none of {', '.join(_BIRD_TABLES)}; give the folder of the DCASE 2018 bird data")
    files = {path.stem: path for path in audio_files(root)}
    listed = listed_parts(root)

    def clips() -> Iterator[SuiteClip]:
        for table in tables:
            for row in read_rows(table):
                item = cell(row, "itemid", table)
                part = listed.get(item, "") if listed else hashed_part(item)
                label = index_of(cell(row, "hasbird", table), ("0", "1"), table)
                if part:
                    yield SuiteClip(files.get(item, root / f"{item}.wav"), part, (label,))

    found, missing = present(clips())
    return SuiteData(task_of("birdsong"), found, (("none", "bird"),), "" if listed else HASHED, missing)


def load_tut18(root: Path) -> SuiteData:
    """TUT18: `meta.csv`, and the lists `train.txt` and `test.txt` of the paper's split, or the official fold 1.

    Raises:
        UsageError: a missing or damaged table, or an unknown scene.
    """
    table = root / "meta.csv"
    listed = listed_parts(root)
    note = ""
    if not listed:
        note = "fold 1 of DCASE 2018 task 1A, which is not the split of the paper (give its train.txt and test.txt)"
        for part, name in (("train", "fold1_train.txt"), ("test", "fold1_evaluate.txt")):
            for line in read_lines(root / "evaluation_setup" / name):
                listed[line.split("\t")[0]] = part

    def clips() -> Iterator[SuiteClip]:
        for row in read_rows(table, "\t"):
            name = cell(row, "filename", table)
            if part := listed.get(name, listed.get(Path(name).stem, "")):
                label = index_of(cell(row, "scene_label", table), _SCENES, table)
                yield SuiteClip(
                    inside(root, name, table), part, (label,), cell(row, "identifier", table) if note else ""
                )

    found, missing = present(clips())
    return SuiteData(task_of("tut18"), found, (_SCENES,), note, missing)


def load_esc50(root: Path) -> SuiteData:
    """ESC-50: `meta/esc50.csv` with five folds, which are the parts; files in `audio/`.

    Raises:
        UsageError: a missing or damaged table, or a fold that is not 1 to 5.
    """
    table = root / "meta" / "esc50.csv"
    rows = list(read_rows(table))
    names = tuple(sorted({cell(row, "category", table) for row in rows}))

    def clips() -> Iterator[SuiteClip]:
        for row in rows:
            fold = ("1", "2", "3", "4", "5")[index_of(cell(row, "fold", table), ("1", "2", "3", "4", "5"), table)]
            label = index_of(cell(row, "category", table), names, table)
            yield SuiteClip(inside(root / "audio", cell(row, "filename", table), table), fold, (label,))

    found, missing = present(clips())
    return SuiteData(task_of("esc50"), found, (names,), missing=missing)


HASHED = "a tenth by a hash of the id, which is not the split of the paper (give its train.txt and test.txt)"


def hashed_part(name: str) -> str:
    """train, validation or test with shares of 80, 10 and 10 per cent, by the SHA-256 of a name."""
    digit = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 10
    return {8: "validation", 9: "test"}.get(digit, "train")


def listed_parts(root: Path) -> dict[str, str]:
    """Name -> part of the lists `train.txt`, `validation.txt` and `test.txt`, where they are there."""
    parts = {}
    for part in ("train", "validation", "test"):
        if (root / f"{part}.txt").is_file():
            parts |= dict.fromkeys(read_lines(root / f"{part}.txt"), part)
    return parts
