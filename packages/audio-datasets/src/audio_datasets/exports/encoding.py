"""What all exports share: a clip as the bytes of a file, its record as JSON values, and folders written at once."""

import importlib
import io
from typing import Any

import numpy as np
from onepaper.audio import audio_info
from onepaper.errors import UsageError

from audio_datasets.data.clips import Clip, ClipSet


def audio_bytes(clip: Clip) -> tuple[str, bytes]:
    """Ending and content of a file with the audio of a clip.

    A clip that is a whole file keeps its bytes; a part of a file, or one without its silence, becomes WAV of 32-bit
    floats, mono, with the samples that `Clip.read` gives.

    Raises:
        UsageError: the file cannot be read.
    """
    if clip.start == 0 and clip.seconds is None and not clip.trim:
        audio_info(clip.path)  # an error for what is not audio
        return clip.path.suffix.lower().lstrip("."), clip.path.read_bytes()
    from scipy.io import wavfile

    content = io.BytesIO()
    wavfile.write(content, audio_info(clip.path).rate, clip.read())
    return "wav", content.getvalue()


def clip_record(clip: Clip, clips: ClipSet) -> dict[str, Any]:
    """The attributes of a clip as JSON values; a rating that is missing is None, as JSON has no NaN."""
    ratings = zip(clips.targets, clip.targets, strict=False)
    attributes = {name: value for name, value in clip._asdict().items() if name != "trim"}
    return attributes | {
        "path": clip.path.name,
        "dataset": clips.name,
        "targets": {name: None if np.isnan(value) else value for name, value in ratings},
    }


def check_times(clips: ClipSet) -> None:
    """Raise `UsageError` where silence is left out: what refers to files cannot say where a clip begins."""
    if any(clip.trim for clip in clips):
        raise UsageError("clips without their silence are found as they are read; write webdataset or datasets")


def import_library(name: str) -> Any:
    """The library that an export needs.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UsageError(f"{name} is not installed; pip install 'onepaper-audio-datasets[exports]'") from None
