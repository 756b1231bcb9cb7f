"""Low-level descriptors: a matrix with one row for every 10 ms, from the short-time spectrum and autocorrelation."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Float32
from onepaper.errors import UsageError

from audio_datasets.config import FeatureConfig

_FLOOR = 1e-10
# Semitones are counted from this frequency, as in eGeMAPS (Eyben et al., 2016).
SEMITONE_ZERO = 27.5


class LowLevel(NamedTuple):
    """Descriptors of a clip.

    Attributes:
        values: shape [frames, descriptors]; those of the pitch are NaN where a frame is not voiced.
        names: of the descriptors.
    """

    values: Float32[np.ndarray, "frames descriptors"]
    names: tuple[str, ...]


@cache
def _tables(config: FeatureConfig) -> tuple[int, int, Any, Any, Any]:
    """Window length, hop, window, mel filters [mels, bins] and DCT [cepstra, mels]."""
    length, hop = round(config.window_seconds * config.rate), round(config.hop_seconds * config.rate)
    window = np.hanning(length + 1)[:-1]
    size = _transform_size(length)
    bins = np.fft.rfftfreq(size, 1 / config.rate)

    def mel(frequency: Any) -> Any:
        return 2595 * np.log10(1 + np.asarray(frequency) / 700)

    edges = np.linspace(mel(20), mel(config.rate / 2), config.mels + 2)
    centres = mel(bins)[None]
    rising = (centres - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - centres) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.maximum(np.minimum(rising, falling), 0)
    order, index = np.arange(1, config.cepstra + 1), np.arange(config.mels)
    cosines = np.sqrt(2 / config.mels) * np.cos(np.pi * order[:, None] * (index + 0.5) / config.mels)
    return length, hop, window.astype(np.float32), filters.astype(np.float32), cosines.astype(np.float32)


def _transform_size(length: int) -> int:
    """Twice the window, as a power of two: the circular autocorrelation is then the linear one."""
    return 1 << (2 * length - 1).bit_length()


def low_level(samples: Float32[np.ndarray, " samples"], config: FeatureConfig) -> LowLevel:
    """Descriptors of a waveform at `config.rate`.

    Log-mel energies, MFCC, log energy, zero crossings, spectral centroid, bandwidth, 85% roll-off, flatness, flux and
    slope of every frame; of voiced ones pitch (in semitones above 27.5 Hz), harmonicity (dB), jitter and shimmer, which
    are relative changes of period and amplitude from frame to frame.

    Raises:
        UsageError: no samples, or samples that are not finite.
    """
    samples = np.asarray(samples, np.float32)
    if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
        raise UsageError(f"a waveform has shape {samples.shape}, expected finite samples of one channel")
    length, hop, window, filters, cosines = _tables(config)
    if len(samples) < length:
        samples = np.pad(samples, (0, length - len(samples)))
    frames = np.lib.stride_tricks.sliding_window_view(samples, length)[::hop]
    size = _transform_size(length)
    spectrum = np.fft.rfft(frames * window, size, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)

    log_mel = np.log(power @ filters.T + _FLOOR)
    energy = np.log((frames.astype(np.float32) ** 2).mean(axis=1) + _FLOOR)
    crossings = (np.signbit(frames[:, 1:]) != np.signbit(frames[:, :-1])).mean(axis=1)
    pitch, harmonicity = _pitch(power, window, size, config)
    amplitude = np.exp(energy / 2)
    semitones = 12 * np.log2(pitch / SEMITONE_ZERO)
    columns = {
        **{f"log_mel_{number}": log_mel[:, number] for number in range(config.mels)},
        **{f"mfcc_{number + 1}": value for number, value in enumerate((log_mel @ cosines.T).T)},
        "log_energy": energy,
        "zero_crossings": crossings,
        **_spectral(power, config, size),
        "pitch": semitones,
        "harmonicity": harmonicity,
        "jitter": _change(1 / pitch),
        "shimmer": _change(np.where(np.isnan(pitch), np.nan, amplitude)),
    }
    return LowLevel(np.stack(list(columns.values()), axis=1).astype(np.float32), tuple(columns))


def _spectral(power: npt.NDArray[Any], config: FeatureConfig, size: int) -> dict[str, npt.NDArray[Any]]:
    frequencies = np.fft.rfftfreq(size, 1 / config.rate)[1:].astype(np.float32)
    power = power[:, 1:] + _FLOOR
    share = power / power.sum(axis=1, keepdims=True)
    centroid = share @ frequencies
    bandwidth = np.sqrt(np.maximum(share @ frequencies**2 - centroid**2, 0))
    rolloff = frequencies[np.argmax(np.cumsum(share, axis=1) >= 0.85, axis=1)]
    log_power = np.log(power)
    flux = np.zeros(len(share), np.float32)
    flux[1:] = np.abs(np.diff(share, axis=0)).sum(axis=1)
    # Slope of log power over frequency, in nats per kHz, by least squares.
    centred = (frequencies - frequencies.mean()) / 1000
    return {
        "centroid": centroid,
        "bandwidth": bandwidth,
        "rolloff": rolloff,
        "flatness": log_power.mean(axis=1) - np.log(power.mean(axis=1)),
        "flux": flux,
        "slope": log_power @ centred / (centred @ centred),
    }


def _pitch(
    power: npt.NDArray[Any], window: npt.NDArray[Any], size: int, config: FeatureConfig
) -> tuple[Float[np.ndarray, " frames"], Float[np.ndarray, " frames"]]:
    """Fundamental frequency in Hz and harmonicity in dB, NaN in unvoiced frames (Boersma, 1993).

    The autocorrelation of the windowed frame is divided by that of the window; the highest peak between the periods of
    the pitch range, weighted a little towards short periods, gives the period, refined by a parabola.
    """
    correlation = np.fft.irfft(power, size, axis=1)
    shape = np.fft.irfft(np.abs(np.fft.rfft(window, size)) ** 2, size)
    shortest, longest = int(config.rate / config.pitch_high), int(np.ceil(config.rate / config.pitch_low))
    longest = min(longest, len(window) - 2)
    lags = np.arange(shortest - 1, longest + 2)
    normalised = correlation[:, lags] / (correlation[:, :1] + _FLOOR) / (shape[lags] / shape[0])
    inner = normalised[:, 1:-1]
    peaks = (inner > normalised[:, :-2]) & (inner >= normalised[:, 2:])
    # Octave errors: a period is preferred to its multiples.
    weighted = np.where(peaks, inner - 0.02 * np.log2(lags[1:-1] / shortest), -np.inf)
    best = weighted.argmax(axis=1)
    rows = np.arange(len(best))
    left, centre, right = (normalised[rows, best + offset] for offset in (0, 1, 2))
    curvature = left - 2 * centre + right
    shift = np.where(curvature < 0, (left - right) / (2 * np.minimum(curvature, -_FLOOR)), 0.0)
    period = lags[best + 1] + np.clip(shift, -0.5, 0.5)
    voiced = peaks.any(axis=1) & (centre > config.voicing) & (correlation[:, 0] > 1e-7)
    strength = np.clip(centre, 1e-3, 0.9999)
    harmonicity = 10 * np.log10(strength / (1 - strength))
    return np.where(voiced, config.rate / period, np.nan), np.where(voiced, harmonicity, np.nan)


def _change(values: Float[np.ndarray, " frames"]) -> Float[np.ndarray, " frames"]:
    """|x_t - x_(t-1)| / x_(t-1); NaN where either is."""
    found = np.full(len(values), np.nan)
    found[1:] = np.abs(np.diff(values)) / np.maximum(np.abs(values[:-1]), _FLOOR)
    return found
