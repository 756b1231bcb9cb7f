"""What is wrong with single files of audio: length, level, format. They are read in blocks, whatever their length."""

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32
from onepaper.audio import AudioInfo, audio_info, read_audio, resample
from onepaper.foreign.layouts import Finding

BLOCK_SECONDS = 60
_FULL_SCALE = 0.999
_CLIPPED_SHARE = 1e-3
# Containers whose files have one of these endings; files are read by their content all the same.
_ENDINGS = {
    **dict.fromkeys(("WAV", "WAVEX", "RF64"), (".wav", ".rf64")), **dict.fromkeys(("MP3", "MPEG"), (".mp3",)),
    "AIFF": (".aif", ".aiff", ".aifc"), "AU": (".au",), "CAF": (".caf",), "FLAC": (".flac",), "G722": (".g722",),
    "OGG": (".ogg", ".oga", ".opus"), "W64": (".w64",),
}  # fmt: skip


class Recording(NamedTuple):
    """One file as it was found.

    Attributes:
        seconds: what is decoded, or what the header declares where the file was not decoded.
        rate: in Hz.
        channels: their number.
        incomplete: it ends before the length in its header, or a page of Ogg is missing at the end.
        misnamed: its ending is that of another format.
        clipped: share of samples at full scale.
        silent: all samples are 0.
    """

    seconds: float
    rate: int
    channels: int
    incomplete: bool
    misnamed: bool
    clipped: float
    silent: bool


def audio_blocks(path: Path, rate: int | None = None) -> Iterator[Float32[np.ndarray, " frames"]]:
    """A file of any length, mono, in blocks of a minute; each is resampled by itself.

    Raises:
        UsageError: as `read_audio`.
    """
    info, start = audio_info(path), 0
    while True:
        block = read_audio(path, start=start, seconds=BLOCK_SECONDS).samples
        yield block if rate is None else resample(block, info.rate, rate)
        start += BLOCK_SECONDS
        if len(block) < BLOCK_SECONDS * info.rate or start * info.rate >= info.frames:
            return


def examine(path: Path, decode: bool = True) -> Recording:
    """The state of a file.

    Args:
        path: of the file.
        decode: decode it; otherwise length, format and completeness are those of the header.

    Raises:
        UsageError: it cannot be read.
    """
    info = audio_info(path)
    frames, full, silent = info.frames, 0, False
    if decode:
        frames, silent = 0, True
        for block in audio_blocks(path):
            frames += len(block)
            full += int((np.abs(block) >= _FULL_SCALE).sum())
            silent = silent and not block.any()
    endings = _ENDINGS.get(info.container, (path.suffix.lower(),))
    return Recording(
        frames / info.rate,
        info.rate,
        info.channels,
        _is_incomplete(path, info, frames),
        path.suffix.lower() not in endings,
        full / max(frames, 1),
        silent,
    )


def _is_incomplete(path: Path, info: AudioInfo, frames: int) -> bool:
    if info.container == "FLAC":
        return frames < info.frames
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if info.container == "OGG":
            # The last page of a stream has a flag (RFC 3533).
            file.seek(max(0, size - 2**17))
            tail = file.read()
            page = tail.rfind(b"OggS")
            return page < 0 or page + 5 >= len(tail) or not tail[page + 5] & 4
        if info.container not in ("WAV", "WAVEX"):
            return False
        file.seek(12)
        while len(header := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", header)
            if name == b"data":
                return bool(file.tell() + length > size)
            file.seek(length + length % 2, 1)
    return False


def recording_findings(recordings: Mapping[Path, Recording]) -> Iterator[Finding]:
    """What these files have in common, and which of them are unusual."""
    if not recordings:
        return
    rates, channels = (Counter(getattr(each, name) for each in recordings.values()) for name in ("rate", "channels"))
    words = ", ".join(f"{rate:,} Hz {count:,}" for rate, count in sorted(rates.items()))
    layouts = ", ".join(
        f"{number} {'channel' if number == 1 else 'channels'} {n:,}" for number, n in sorted(channels.items())
    )
    mixed = "; each file is resampled from its own rate" if len(rates) > 1 else ""
    yield Finding(f"rates: {words}; {layouts}{mixed}")
    for found, what in (
        ([path for path, each in recordings.items() if each.incomplete], "end before the length in their header"),
        ([path for path, each in recordings.items() if each.misnamed], "have the ending of another format"),
        ([path for path, each in recordings.items() if each.clipped > _CLIPPED_SHARE], "are clipped"),
        ([path for path, each in recordings.items() if each.silent], "are silent"),
    ):
        if found:
            yield Finding(f"{len(found):,} files {what}, first {found[0]}", True)
