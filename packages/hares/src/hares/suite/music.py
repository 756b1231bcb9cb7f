"""NSynth and MagnaTagATune (paper, table 1: music)."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from onepaper.errors import UsageError

from hares.data.tasks import task_of
from hares.suite.records import SuiteClip, SuiteData, cell, index_of, inside, present, read_rows

FAMILIES = ("bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal")
_PITCHES = tuple(str(pitch) for pitch in range(128))
_NSYNTH_FOLDERS = {"train": "nsynth-train", "validation": "nsynth-valid", "test": "nsynth-test"}
_TAGS = 50
_MAGNA_PARTS = {**dict.fromkeys("0123456789ab", "train"), "c": "validation", **dict.fromkeys("def", "test")}


def load_nsynth(root: Path, target: str = "instrument") -> SuiteData:
    """NSynth: folders `nsynth-train`, `nsynth-valid` and `nsynth-test`, each with `examples.json` and `audio/`.

    Args:
        root: that has the three folders.
        target: instrument (eleven families) or pitch (MIDI numbers 0 to 127).

    Raises:
        UsageError: a missing or damaged table, or a label that is not known.
    """
    names, column = (FAMILIES, "instrument_family_str") if target == "instrument" else (_PITCHES, "pitch")

    def clips() -> Iterator[SuiteClip]:
        for part, name in _NSYNTH_FOLDERS.items():
            table = root / name / "examples.json"
            if part == "validation" and not table.is_file():
                continue
            for key, row in _examples(table).items():
                if not isinstance(row, dict) or column not in row:
                    raise UsageError(f"{table}: '{key[:60]}' has no {column}; copy the data set again")
                label = index_of(str(row[column]), names, table)
                path = inside(root / name / "audio", f"{key}.wav", table)
                yield SuiteClip(path, part, (label,), str(row.get("instrument_str", "")))

    found, missing = present(clips())
    return SuiteData(task_of(f"nsynth_{target}"), found, (names,), missing=missing)


def _examples(table: Path) -> dict[str, object]:
    try:
        content = json.loads(table.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{table} is missing; give the folder that has nsynth-train and nsynth-test") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{table} is not readable JSON ({str(error)[:80]}); copy it again") from None
    if not isinstance(content, dict):
        raise UsageError(f"{table} is not an object of notes; copy it again")
    return content


def load_magnatagatune(root: Path) -> SuiteData:
    """MagnaTagATune: `annotations_final.csv` and mp3 files in folders 0 to f.

    Classes are the 50 most frequent tags. Folders 0 to b are for training, c for validation, d to f for test. Some
    published files are empty: they are left out and counted.

    Raises:
        UsageError: a missing or damaged table.
    """
    table = root / "annotations_final.csv"
    rows = list(read_rows(table, "\t"))
    counts = Counter(
        column
        for row in rows
        for column, value in row.items()
        if value == "1" and column not in ("clip_id", "mp3_path")
    )
    names = tuple(sorted(tag for tag, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_TAGS]))

    def clips() -> Iterator[SuiteClip]:
        for row in rows:
            name = cell(row, "mp3_path", table)
            part = _MAGNA_PARTS.get(name.partition("/")[0])
            if part is None:
                raise UsageError(f"{table} names {name[:60]!r}, expected a file in a folder 0 to f")
            labels = tuple(index for index, tag in enumerate(names) if row[tag] == "1")
            yield SuiteClip(inside(root, name, table), part, labels)

    found, missing = present(clips())
    return SuiteData(task_of("magnatagatune"), found, (names,), missing=missing)
