"""The clips that are installed with the package: three sets of real audio, each one Ogg file and a table."""

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from onepaper.audio import read_audio
from onepaper.data import embedded
from onepaper.errors import UsageError

RATE = 16_000
SETS = ("sounds", "syllables", "notes")


@dataclass(frozen=True)
class Clip:
    """One clip of a task.

    `group` names what must not be in two parts: a recording, a language, an instrument. `fold` is the part in which
    the clip is tested; `label` is one of the task's classes.
    """

    name: str
    samples: npt.NDArray[np.float32]
    group: str
    fold: int
    label: str


def embedded_clips(name: str, label: str) -> list[Clip]:
    """The clips of a set, at 16 kHz with their peak near 0.5.

    Args:
        name: one of `SETS`.
        label: the column of labels: kind of sounds, vowel of syllables, family or pitch of notes.
    """
    return read_set(embedded("hares", f"{name}/clips.ogg"), embedded("hares", f"{name}/clips.csv"), label)


def read_set(audio: Path, table: Path, label: str) -> list[Clip]:
    """The clips of one audio file at 16 kHz, which a table with name, start, frames, group, fold and labels divides.

    Raises:
        UsageError: a file that cannot be read, a missing column, numbers that are none, or clips beyond the audio.
    """
    samples, rows = _read(audio, table)
    found: list[Clip] = []
    for row in rows:
        try:
            start, frames, fold = (int(row[column]) for column in ("start", "frames", "fold"))
            clip = Clip(row["name"], samples[start : start + frames], row["group"], fold, row[label])
        except (KeyError, ValueError, TypeError) as error:
            raise UsageError(f"{table} has no clip in {str(row)[:80]} ({error}); make the set again") from None
        if min(start, fold) < 0 or frames < 1 or len(clip.samples) != frames:
            raise UsageError(f"{table}: {clip.name[:60]} is beyond the audio of {audio.name}; make the set again")
        found.append(clip)
    return found


@functools.cache
def _read(audio: Path, table: Path) -> tuple[npt.NDArray[np.float32], list[dict[str, str]]]:
    samples = read_audio(audio, rate=RATE).samples
    try:
        with table.open(encoding="utf-8", newline="") as file:
            return samples, list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{table} is not a readable CSV ({error}); make the set again") from None
