"""Hume-VocalBurst from a copy of ExVo: `data_info.csv` with speakers, countries, ages and ratings (paper, section 3.3).

The columns follow the official code: ExVo2022/ExVo-FewShot/create_splits.py and ExVo2022/ExVo-MultiTask/main.py of
github.com/HumeAI/competitions. Speakers, countries and ages of the test split are blank in the release.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from onepaper.config import shortened
from onepaper.errors import UsageError

from audio_datasets.data.clips import Clip, ClipSet
from audio_datasets.data.tables import CsvTable, clip_id, number, read_table
from audio_datasets.tasks.definitions import BURST_EMOTIONS, COUNTRIES, MAX_AGE

_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_LABELS = "data_info.csv"


def load_exvo(root: Path) -> ClipSet:
    """The clips with ten ratings, speaker and country; those of the blind test split may have none.

    Audio is `wav/ID.wav`, or `audio/wav/ID.wav` where there is no folder `wav`.

    Raises:
        UsageError: a missing file or column, an id or number that cannot be read, or a rating outside [0, 1].
    """
    table = _open(root)
    audio = root / "wav" if (root / "wav").is_dir() else root / "audio" / "wav"
    clips = []
    for line, row in table.rows():
        where = f"{table.path}, line {line}"
        name = clip_id(row["File_ID"], where)
        values = [row[column].strip() for column in BURST_EMOTIONS]
        targets = tuple(number(value, where, 0.0, 1.0) for value in values) if any(values) else ()
        clips.append(
            Clip(
                name,
                audio / f"{name}.wav",
                speaker=row["Subject_ID"].strip(),
                split=table.choice(row, "Split", _SPLITS, line),
                targets=targets,
                country=row["Country"].strip(),
            )
        )
    return ClipSet("hume-vocalburst", tuple(clips), BURST_EMOTIONS)


def multitask_targets(root: Path, clips: ClipSet) -> Float[np.ndarray, "clips 12"]:
    """Number of the country, age in years and ten ratings of each clip, as in a submission; NaN where blank.

    The number of a country is its place among those of the copy in alphabetical or numerical order, as the official
    code encodes it.

    Raises:
        UsageError: an age that is no number up to 120, or more than four countries.
    """
    table = _open(root)
    ages = {
        clip_id(row["File_ID"], where): number(row["Age"].strip(), where, 0.0, MAX_AGE)
        for line, row in table.rows()
        for where in [f"{table.path}, line {line}"]
    }
    index = {name: float(place) for place, name in enumerate(countries(clips))}
    blank = [index.get(clip.country, np.nan) for clip in clips], [ages[clip.id] for clip in clips]
    return np.column_stack([*blank, clips.ratings()])


def countries(clips: ClipSet) -> tuple[str, ...]:
    """The countries of a copy, in the order of their numbers.

    Raises:
        UsageError: more than four.
    """
    found = sorted({clip.country for clip in clips if clip.country})
    if len(found) > len(COUNTRIES):
        shown = shortened(", ".join(found))
        raise UsageError(f"'{clips.name}' has {len(found)} countries ({shown}), expected at most {len(COUNTRIES)}")
    return tuple(found)


def _open(root: Path) -> CsvTable:
    table = read_table(root / _LABELS)
    table.require(("File_ID", "Split", "Subject_ID", "Country", "Age", *BURST_EMOTIONS))
    return table
