"""The clips that are installed with the package: three sets of real audio, each one Ogg file and a table."""

import csv
import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from onepaper.audio import read_audio
from onepaper.data import embedded
from onepaper.errors import OnePaperError

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


@functools.cache
def _read_set(name: str) -> tuple[npt.NDArray[np.float32], list[dict[str, str]]]:
    samples = read_audio(embedded("hares", f"{name}/clips.ogg"), rate=RATE).samples
    with embedded("hares", f"{name}/clips.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if int(rows[-1]["start"]) + int(rows[-1]["frames"]) > len(samples):
        raise OnePaperError(f"{name}/clips.ogg is shorter than its table says; reinstall hares")
    return samples, rows


def embedded_clips(name: str, label: str) -> list[Clip]:
    """The clips of a set, at 16 kHz with their peak near 0.5.

    Args:
        name: one of `SETS`.
        label: the column of labels: kind of sounds, vowel of syllables, family or pitch of notes.
    """
    samples, rows = _read_set(name)
    return [
        Clip(
            row["name"],
            samples[int(row["start"]) : int(row["start"]) + int(row["frames"])],
            row["group"],
            int(row["fold"]),
            row[label],
        )
        for row in rows
    ]
