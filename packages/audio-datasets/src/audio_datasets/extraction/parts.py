"""Work of an extraction in parts, a few hundred clips or one webdataset shard, each of which fits into memory."""

import hashlib
import json
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32
from onepaper.audio import SUFFIXES
from onepaper.errors import OnePaperError, UsageError

from audio_datasets.data.clips import Clip, ClipSet

_AUDIO = {suffix.lstrip(".") for suffix in SUFFIXES}
Waveform = Float32[np.ndarray, " frames"]


class Part(NamedTuple):
    """What one process computes at a time: some clips, or those of a shard.

    Attributes:
        number: from 0.
        clips: records of clips; empty for a shard.
        shard: a tar archive.
    """

    number: int
    clips: tuple[Clip, ...] = ()
    shard: Path | None = None

    def waveforms(
        self, rate: int, max_seconds: float, trim: bool = False
    ) -> Iterator[tuple[str, Waveform | OnePaperError]]:
        """Id and samples of each clip, one at a time, with `trim` without silence; the error where it cannot be read.

        Raises:
            UsageError: the shard cannot be read.
        """
        if self.shard is None:
            for clip in self.clips:
                try:
                    yield clip.id, clip._replace(trim=clip.trim or trim).read(rate, max_seconds)
                except OnePaperError as error:
                    yield clip.id, error
            return
        with tempfile.TemporaryDirectory() as scratch:
            for name, ending, content in _samples(self.shard):
                path = Path(scratch) / f"clip.{ending}"
                path.write_bytes(content)
                try:
                    yield name, Clip(name, path, trim=trim).read(rate, max_seconds)
                except OnePaperError as error:
                    yield name, UsageError(str(error).replace(str(path), f"{self.shard}, {name}"))


class Source(NamedTuple):
    """Clips to compute features of.

    Attributes:
        name: of the data set.
        digest: SHA-256 of what the parts are, by which an extraction is continued.
        parts: in order.
    """

    name: str
    digest: str
    parts: tuple[Part, ...]


def parts_of_clips(clips: ClipSet, size: int = 256) -> Source:
    """Parts of `size` clips."""
    digest = hashlib.sha256(f"{size}".encode())
    for clip in clips:
        digest.update(json.dumps([clip.id, str(clip.path.absolute()), clip.start, clip.seconds, clip.trim]).encode())
    groups = [clips.clips[start : start + size] for start in range(0, len(clips), size)]
    parts = tuple(Part(number, tuple(_absolute(clip) for clip in group)) for number, group in enumerate(groups))
    return Source(clips.name, digest.hexdigest(), parts)


def _absolute(clip: Clip) -> Clip:
    # Workers on other machines have other working folders, and need nothing but the audio.
    return Clip(clip.id, clip.path.absolute(), start=clip.start, seconds=clip.seconds, trim=clip.trim)


def parts_of_shards(folder: Path) -> Source:
    """One part for each `.tar` file of a folder, in order of their names; only names and sizes are read here.

    Raises:
        UsageError: there are none.
    """
    shards = sorted(path for path in folder.glob("*.tar") if path.is_file()) if folder.is_dir() else []
    if not shards:
        raise UsageError(f"{folder} holds no shards, expected .tar files, as `data convert` writes them")
    sizes = [(path.name, path.stat().st_size) for path in shards]
    digest = hashlib.sha256(json.dumps(sizes).encode()).hexdigest()
    return Source(folder.name, digest, tuple(Part(n, shard=path.absolute()) for n, path in enumerate(shards)))


def _samples(shard: Path) -> Iterator[tuple[str, str, bytes]]:
    """Id, ending and content of the audio of each sample: members that follow each other and share a key."""
    size = shard.stat().st_size
    key, audio, name = "", ("", b""), ""
    try:
        with tarfile.open(shard, "r|") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                stem, _, ending = path.name.partition(".")
                if not member.isfile() or not stem or not ending:
                    continue
                if member.size > size:
                    raise tarfile.ReadError(f"{member.name} declares {member.size:,} bytes")
                if (found := str(path.parent / stem)) != key:
                    if audio[0]:
                        yield name, *audio
                    key, audio, name = found, ("", b""), found
                file = tar.extractfile(member)
                if file is not None and ending.lower() in _AUDIO:
                    audio = (ending.lower(), file.read())
                elif file is not None and ending == "json":
                    name = _id_of(file.read()) or found
        if audio[0]:
            yield name, *audio
    except (tarfile.TarError, EOFError, OSError) as error:
        raise UsageError(f"{shard} is damaged or incomplete ({error}); write it again") from None


def _id_of(content: bytes) -> str:
    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    found = record.get("id") if isinstance(record, dict) else None
    return found if isinstance(found, str) else ""


def select(parts: Sequence[Part], done: Sequence[int]) -> list[Part]:
    """The parts that are not done."""
    finished = set(done)
    return [part for part in parts if part.number not in finished]
