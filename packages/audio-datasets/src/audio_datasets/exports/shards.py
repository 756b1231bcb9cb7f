"""Clips as tar shards in the layout of the library webdataset: `KEY.EXT` with the audio, `KEY.json` with the record."""

import io
import json
import tarfile
from pathlib import Path

from onepaper.config import check_positive
from onepaper.progress import track
from onepaper.runs import new_folder

from audio_datasets.data.clips import Clip, ClipSet
from audio_datasets.exports.encoding import audio_bytes, clip_record

INDEX_NAME = "index.json"


def write_shards(folder: Path, clips: ClipSet, *, shard_bytes: int = 2**28) -> list[Path]:
    """Write shards `NAME-000000.tar` and `index.json` into a new folder, which appears complete or not at all.

    The audio is that of `audio_bytes`. Equal clips give equal bytes.

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
    counts: dict[str, int] = {}
    with new_folder(folder) as content:
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
    return [folder / name for name in counts]


def _add(tar: tarfile.TarFile, key: str, clip: Clip, clips: ClipSet) -> None:
    suffix, audio = audio_bytes(clip)
    record = json.dumps(clip_record(clip, clips), allow_nan=False).encode()
    for ending, content in ((suffix, audio), ("json", record)):
        member = tarfile.TarInfo(f"{key}.{ending}")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
