"""Mono and resampled audio."""

from typing import Any

import numpy as np
import numpy.typing as npt
import soxr
from jaxtyping import Float, Float32

from onepaper.errors import UsageError


def to_mono(samples: Float[np.ndarray, "frames *channels"]) -> Float[np.ndarray, " frames"]:
    """The mean of the channels; mono audio is returned as it is."""
    if samples.ndim == 1:
        return samples
    mean: npt.NDArray[Any] = samples.mean(axis=1, dtype=samples.dtype)
    return mean


def resampled_frames(frames: int, rate: int, new_rate: int) -> int:
    """Number of frames that `resample` returns: frames * new_rate / rate, rounded (halves up)."""
    return (2 * frames * new_rate + rate) // (2 * rate)


def resample(
    samples: Float32[np.ndarray, "frames *channels"], rate: int, new_rate: int
) -> Float32[np.ndarray, "resampled *channels"]:
    """Audio at another sampling rate, by the band-limited resampler of the library soxr at its quality HQ.

    Args:
        samples: mono, or with one column a channel.
        rate: sampling rate of `samples`, in Hz.
        new_rate: sampling rate of the result, in Hz.

    Raises:
        UsageError: a rate below 1.
    """
    if rate < 1 or new_rate < 1:
        raise UsageError(f"sampling rates are {rate} and {new_rate} Hz; expected at least 1")
    if rate == new_rate:
        return samples
    expected = resampled_frames(len(samples), rate, new_rate)
    found: npt.NDArray[np.float32] = soxr.resample(samples, rate, new_rate, quality="HQ")
    # soxr rounds some exact halves down.
    missing = expected - len(found)
    return np.pad(found, [(0, missing)] + [(0, 0)] * (found.ndim - 1)) if missing > 0 else found[:expected]
