"""Clips as tar shards in the layout of the library webdataset: `KEY.EXT` with the audio, `KEY.json` with the record."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
from onepaper.audio import audio_info
from onepaper.config import check_positive
from onepaper.errors import OnePaperError
from onepaper.progress import track
from onepaper.runs import temporary_folder

from audio_datasets.data.clips import Clip, ClipSet

INDEX_NAME = "index.json"


def write_shards(folder: Path, clips: ClipSet, *, shard_bytes: int = 2**28) -> list[Path]:
    """Write shards `NAME-000000.tar` and `index.json` into a new folder, which appears complete or not at all.

    A clip that is a whole file keeps its bytes; a part of a file becomes WAV of 32-bit floats, mono, with the samples
    that `Clip.read` gives. Equal clips give equal bytes.

    Args:
        folder: must not exist yet.
        clips: in the order of the shards.
        shard_bytes: a shard is closed when it exceeds this size.

    Returns:
        The shards.

    Raises:
        UsageError: a file that cannot be read.
        OnePaperError: the folder exists, or the disk is full.
    """
    check_positive("shard_bytes", shard_bytes)
    if folder.exists():
        raise OnePaperError(f"{folder} exists already; remove it, or give another --output")
    folder.parent.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    try:
        with temporary_folder(folder.parent) as scratch:
            content = scratch / "content"
            content.mkdir()
            tar: tarfile.TarFile | None = None
            name = ""
            for number, clip in enumerate(track(clips, "writing shards", total=len(clips), unit="clip")):
                if tar is None or tar.offset > shard_bytes:
                    if tar is not None:
                        tar.close()
                    name = f"{clips.name}-{len(counts):06d}.tar"
                    tar = tarfile.open(content / name, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
                _add(tar, f"{number:09d}", clip, clips)
                counts[name] = counts.get(name, 0) + 1
            if tar is not None:
                tar.close()
            index = {"name": clips.name, "targets": clips.targets, "classes": clips.classes, "shards": counts}
            (content / INDEX_NAME).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
            content.rename(folder)
    except OSError as error:
        raise OnePaperError(f"cannot write {folder}: {error.strerror or error}") from None
    return [folder / name for name in counts]


def _add(tar: tarfile.TarFile, key: str, clip: Clip, clips: ClipSet) -> None:
    suffix, audio = _audio(clip)
    record = clip._asdict() | {"path": clip.path.name, "dataset": clips.name}
    # JSON has no NaN: a rating that is missing is null.
    record["targets"] = {
        name: None if np.isnan(value) else value for name, value in zip(clips.targets, clip.targets, strict=False)
    }
    for ending, content in ((suffix, audio), ("json", json.dumps(record, allow_nan=False).encode())):
        member = tarfile.TarInfo(f"{key}.{ending}")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))


def _audio(clip: Clip) -> tuple[str, bytes]:
    """Ending and content of the audio of a clip."""
    if clip.start == 0 and clip.seconds is None:
        audio_info(clip.path)  # an error for what is not audio
        return clip.path.suffix.lower().lstrip("."), clip.path.read_bytes()
    from scipy.io import wavfile

    content = io.BytesIO()
    wavfile.write(content, audio_info(clip.path).rate, clip.read())
    return "wav", content.getvalue()
