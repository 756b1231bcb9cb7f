"""Where speech begins and ends in a waveform, by Silero VAD (Silero Team, 2021), an extra."""

from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float32
from onepaper.audio import resample
from onepaper.errors import UsageError
from onepaper.fingerprint.marks import unmeasured

_RATE = 16_000


@cache
def _detector() -> tuple[Any, Any]:
    import torch

    threads = torch.get_num_threads()
    try:
        from silero_vad import get_speech_timestamps, load_silero_vad
    except ImportError:
        raise UsageError("silero-vad is not installed; pip install 'onepaper-audio-datasets[vad]'") from None
    torch.set_num_threads(threads)  # its import sets one thread for the whole process
    return load_silero_vad(), get_speech_timestamps


@unmeasured
def speech_segments(samples: Float32[np.ndarray, " samples"], rate: int) -> list[tuple[float, float]]:
    """Begin and end of each stretch of speech, in seconds, in order.

    The settings are those of the library: speech of at least 0.25 s, pauses of at least 0.1 s, 0.03 s around it.

    Raises:
        UsageError: the library silero-vad is not installed.
    """
    import torch

    model, find = _detector()
    found = find(torch.as_tensor(resample(samples, rate, _RATE)), model, sampling_rate=_RATE)
    return [(each["start"] / _RATE, min(each["end"] / _RATE, len(samples) / rate)) for each in found]


@unmeasured
def trim_silence(samples: Float32[np.ndarray, " samples"], rate: int) -> Float32[np.ndarray, " kept"]:
    """The samples from the first speech to the last; all of them where none is found, as in a laugh or a gasp.

    Raises:
        UsageError: as `speech_segments`.
    """
    segments = speech_segments(samples, rate)
    if not segments:
        return samples
    return samples[round(segments[0][0] * rate) : round(segments[-1][1] * rate)]
