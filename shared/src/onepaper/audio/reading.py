"""An audio file as 32-bit floats, whatever its format, depth, rate and channels."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
from jaxtyping import Float32

from onepaper.audio.resampling import resample, to_mono
from onepaper.errors import UsageError

MAX_VALUES = 2**29
"""More samples (frames times channels) than this are refused; longer files are read in parts."""

G722_RATE = 16_000
_BLOCK = 2**18


class Audio(NamedTuple):
    """Samples of an audio file.

    Attributes:
        samples: full scale is [-1, 1]; shape (frames,) for mono, (frames, channels) otherwise.
        rate: sampling rate, in Hz.
    """

    samples: Float32[np.ndarray, "frames *channels"]
    rate: int

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / self.rate


class AudioInfo(NamedTuple):
    """What the header of an audio file declares.

    Attributes:
        frames: samples of each channel; of compressed formats an estimate, and 0 where it is not declared.
        rate: sampling rate, in Hz.
        channels: number of channels.
        container: name of the file format, such as WAV, FLAC or OGG.
        encoding: name of the encoding of samples, such as PCM_16 or VORBIS.
    """

    frames: int
    rate: int
    channels: int
    container: str
    encoding: str

    @property
    def seconds(self) -> float:
        """Declared duration."""
        return self.frames / self.rate


def audio_info(path: Path) -> AudioInfo:
    """What the header of an audio file declares, without decoding it.

    Raises:
        UsageError: no such file, or not an audio file.
    """
    _check_file(path)
    if _is_g722(path):
        return AudioInfo(2 * path.stat().st_size, G722_RATE, 1, "G722", "G722")
    with _opened(path) as file:
        frames = file.frames if 0 <= file.frames < 2**62 else 0
        return AudioInfo(frames, file.samplerate, file.channels, file.format, file.subtype)


def read_audio(
    path: Path, *, rate: int | None = None, mono: bool = True, start: float = 0.0, seconds: float | None = None
) -> Audio:
    """An audio file, or a part of it, as 32-bit floats.

    All formats of libsndfile are read (WAV of 8 to 64 bits, AIFF, AU, FLAC, Ogg Vorbis, Opus, MP3 among them), and raw
    ITU-T G.722 (64 kbit/s, 16 kHz, named *.g722) where the library G722 is installed. Integers of b bits are divided by
    2^(b-1). What is decoded counts, not the length that the header declares: the file is read in blocks, so that a
    wrong header takes no memory.

    Args:
        path: the file.
        rate: sampling rate of the result, in Hz; None keeps the file's own.
        mono: whether to return the mean of the channels.
        start: where to begin, in seconds.
        seconds: how much to read at most; None reads to the end.

    Raises:
        UsageError: no such file, not an audio file or damaged, no samples at `start`, more than `MAX_VALUES` of them,
            NaN or infinite ones, or arguments out of range.
    """
    if not (0 <= start < math.inf) or (seconds is not None and not 0 < seconds < math.inf):
        raise UsageError(f"start {start} s and length {seconds} s; expected start >= 0 and a positive length")
    if rate is not None and rate < 1:
        raise UsageError(f"the sampling rate is {rate} Hz; expected at least 1")
    _check_file(path)
    if _is_g722(path):
        samples, own_rate = _g722(path), G722_RATE
        first = round(start * own_rate)
        samples = samples[first : None if seconds is None else first + max(1, round(seconds * own_rate))]
    else:
        samples, own_rate = _decoded(path, start, seconds)
    if not len(samples):
        raise UsageError(f"{path} has no samples{f' after {start:g} s' if start else ''}; expected audio")
    if not np.isfinite(samples).all():
        raise UsageError(f"{path} holds samples that are NaN or infinite; write it again from a sound source")
    if mono:
        samples = to_mono(samples)
    elif samples.ndim == 2 and samples.shape[1] == 1:
        samples = samples[:, 0]
    return Audio(samples if rate is None else resample(samples, own_rate, rate), rate or own_rate)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise UsageError(f"{path} is not a file; give the path of an audio file")


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """The file, opened by its content; errors while it is used name it."""
    try:
        # By descriptor: libsndfile then goes by content, where a name such as *.raw would ask for a rate.
        with path.open("rb") as content, soundfile.SoundFile(content.fileno(), closefd=False) as file:
            if file.samplerate < 1 or file.channels < 1:
                raise soundfile.SoundFileRuntimeError(f"{file.channels} channels at {file.samplerate} Hz")
            yield file
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        reason = " ".join(str(getattr(error, "error_string", error)).split()).rstrip(".")
        raise UsageError(f"{path} is not readable audio ({reason}); write it again as WAV or FLAC") from None


def _decoded(path: Path, start: float, seconds: float | None) -> tuple[npt.NDArray[np.float32], int]:
    with _opened(path) as file:
        rate, channels = file.samplerate, file.channels
        left = None if seconds is None else max(1, round(seconds * rate))
        if start:
            first = round(start * rate)
            if first >= file.frames:
                raise UsageError(f"{path} has no samples after {start:g} s; it ends at {file.frames / rate:g} s")
            file.seek(first)
        blocks: list[npt.NDArray[np.float32]] = []
        read = 0
        while left is None or read < left:
            frames = _BLOCK if left is None else min(_BLOCK, left - read)
            block: npt.NDArray[np.float32] = np.asarray(file.read(frames, dtype="float32", always_2d=True), np.float32)
            if not len(block):
                break
            blocks.append(block)
            read += len(block)
            if read * channels > MAX_VALUES:
                raise UsageError(f"{path} has more than {MAX_VALUES:,} samples; read it in parts (start, seconds)")
        return np.concatenate(blocks) if blocks else np.zeros((0, channels), np.float32), rate


def _is_g722(path: Path) -> bool:
    return path.suffix.lower() == ".g722"


def _g722(path: Path) -> npt.NDArray[np.float32]:
    try:
        from G722 import G722
    except ImportError:
        raise UsageError(f"{path}: reading G.722 needs the library G722; pip install G722") from None
    if path.stat().st_size > MAX_VALUES // 2:
        raise UsageError(f"{path} has more than {MAX_VALUES:,} samples; expected a shorter file")
    decoded: npt.NDArray[np.int16] = np.asarray(G722(G722_RATE, 64_000).decode(path.read_bytes()), np.int16)
    return decoded.astype(np.float32) / np.float32(2**15)
