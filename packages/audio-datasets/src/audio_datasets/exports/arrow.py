"""Clips as a data set of the library datasets (Hugging Face), with the audio inside the Arrow files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from onepaper.progress import track
from onepaper.runs import new_folder

from audio_datasets.data.clips import ClipSet
from audio_datasets.exports.encoding import audio_bytes, import_library


def write_arrow(folder: Path, clips: ClipSet) -> int:
    """Write what `datasets.load_from_disk` reads, into a new folder; the number of clips.

    Columns: `audio` (of type Audio, with the bytes of `audio_bytes`), `id`, `speaker`, `split`, `group`, `country` and
    `text`, `label` (a ClassLabel), and one column of float64 for each rating; None where there is no label or rating.

    Raises:
        UsageError: a file that cannot be read, or the library is not installed.
        OnePaperError: the folder exists, or the disk is full.
    """
    library = import_library("datasets")
    columns = {name: library.Value("string") for name in ("id", "speaker", "split", "group", "country", "text")}
    features = library.Features(
        {
            "audio": library.Audio(decode=False),
            **columns,
            **({"label": library.ClassLabel(names=list(clips.classes))} if clips.classes else {}),
            **{name: library.Value("float64") for name in clips.targets},
        }
    )

    def rows() -> Iterator[dict[str, Any]]:
        for clip in track(clips, "writing clips", total=len(clips), unit="clip"):
            suffix, content = audio_bytes(clip)
            row = {name: getattr(clip, name) for name in columns}
            row["audio"] = {"path": f"{clip.path.stem}.{suffix}", "bytes": content}
            if clips.classes:
                row["label"] = clips.classes.index(clip.label) if clip.label else None
            values = clip.targets or (np.nan,) * len(clips.targets)
            row |= {name: None if np.isnan(value) else value for name, value in zip(clips.targets, values, strict=True)}
            yield row

    with new_folder(folder) as content:
        writer = library.arrow_writer.ArrowWriter(features=features, path=str(content.parent / "rows.arrow"))
        with writer:
            for row in rows():
                writer.write(row)
            writer.finalize()
        library.Dataset.from_file(str(content.parent / "rows.arrow")).save_to_disk(str(content))
    return len(clips)
