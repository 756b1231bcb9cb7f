"""Hume-Prosody from a copy of the ComParE 2023 release: `wav/`, `lab/{train,devel,test}.csv` (paper, section 2.1)."""

from pathlib import Path

from onepaper.config import shortened
from onepaper.errors import UsageError

from audio_datasets.data.clips import Clip, ClipSet
from audio_datasets.data.tables import number, read_table
from audio_datasets.tasks.definitions import get_task

_FILES = {"train": "train", "devel": "validation", "test": "test"}


def load_prosody(root: Path, *, strict_official: bool = False) -> ClipSet:
    """The clips with nine ratings each; those of the masked test split have none.

    With `strict_official` names are in the first column, and labels of the test split are read from
    `lab/test.unmasked.csv` where it is, as in the official src/ml/svm.py of github.com/EIHW/ComParE2023.

    Raises:
        UsageError: a missing file or column, a number that cannot be read, or a rating outside [0, 1].
    """
    columns = get_task("prosody-9").columns
    clips = []
    for file, split in _FILES.items():
        path = root / "lab" / f"{file}.csv"
        if strict_official and (unmasked := path.with_suffix(".unmasked.csv")).is_file():
            path = unmasked
        if not path.is_file() and file == "test":
            continue
        table = read_table(path)
        names = table.columns[:1] if strict_official else table.columns
        id_column = next((name for name in ("filename", "File_ID", "file") if name in names), "")
        if not id_column:
            raise UsageError(f"{path} has no column 'filename', expected it; it has {shortened(', '.join(names))}")
        masked = file == "test" and not set(columns) <= set(table.columns)
        if not masked:
            table.require(columns)
        for line, row in table.rows():
            where = f"{path}, line {line}"
            name = Path(row[id_column].strip()).name
            values = [] if masked else [row[column].strip() for column in columns]
            blank = not any(values) or set(values) == {"?"}
            targets = () if blank else tuple(number(value, where, 0.0, 1.0) for value in values)
            speaker = row.get("subject_id", row.get("Subject_ID", "")).strip()
            clips.append(Clip(Path(name).stem, root / "wav" / name, speaker, split, targets=targets))
    return ClipSet("hume-prosody", tuple(clips), columns)
