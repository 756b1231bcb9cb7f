"""Log-mel spectrograms, and sound of them by the method of Griffin and Lim (1984)."""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from slowae_rlt.config import MelConfig

# Natural logarithms of magnitudes of speech are about -9 to 4; this brings them to about -1 to 1.
CENTRE, SCALE = -4.0, 4.0

ITERATIONS, MOMENTUM = 60, 0.99

AnyArray = Array | np.ndarray


@functools.cache
def mel_filters(config: MelConfig, sample_rate: int) -> Float[np.ndarray, "bins bands"]:
    """Triangular filters, evenly spaced on the mel scale of O'Shaughnessy (1987), each of sum 1, as float32."""

    def mel(hertz: float) -> float:
        return 2595.0 * np.log10(1.0 + hertz / 700.0)

    edges = 700.0 * (10.0 ** (np.linspace(mel(config.lowest), mel(sample_rate / 2), config.bands + 2) / 2595.0) - 1.0)
    bins = np.fft.rfftfreq(config.window, 1.0 / sample_rate)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    filters = np.maximum(0.0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)))
    # Narrow low bands between two bins take the nearest one.
    empty = filters.sum(axis=0) == 0
    filters[np.abs(bins - middle).argmin(axis=0)[empty], empty] = 1.0
    return (filters / filters.sum(axis=0)).astype(np.float32)


def window_context(config: MelConfig) -> int:
    """Samples that the first frame needs before its hop; the last needs as many after its own."""
    return (config.window - config.hop) // 2


def log_mel(
    samples: Float[AnyArray, "*batch samples"], config: MelConfig, sample_rate: int
) -> Float[AnyArray, "*batch frames bands"]:
    """Scaled logarithms of the band magnitudes of frames that lie completely within the samples.

    Args:
        samples: of the frames' hops, with `window_context` before and after them.
        config: of the spectrogram.
        sample_rate: in Hz.
    """
    # NumPy for recordings, whose lengths differ and would each be compiled; JAX within networks.
    numpy = np if isinstance(samples, np.ndarray) else jnp
    count = (samples.shape[-1] - config.window) // config.hop + 1
    index = np.arange(count)[:, None] * config.hop + np.arange(config.window)
    magnitudes = numpy.abs(numpy.fft.rfft(samples[..., index] * _hann(config.window)))
    return (numpy.log(magnitudes @ mel_filters(config, sample_rate) + config.floor) - CENTRE) / SCALE


def _hann(size: int) -> Float[np.ndarray, " size"]:
    return np.hanning(size + 1)[:-1].astype(np.float32)


def griffin_lim(
    spectrogram: Float[np.ndarray, "frames bands"], config: MelConfig, sample_rate: int, *, seed: int = 0
) -> Float[np.ndarray, " samples"]:
    """Sound whose log-mel spectrogram is near to the given one, frames times hop samples as float32.

    Magnitudes are those of smallest norm with these bands; phases begin at random and are found by alternating
    projections with momentum (Perraudin et al., 2013).

    Args:
        spectrogram: as by `log_mel`.
        config: of the spectrogram.
        sample_rate: in Hz.
        seed: of the initial phases.
    """
    bands = np.maximum(np.exp(np.asarray(spectrogram, np.float64) * SCALE + CENTRE) - config.floor, 0.0)
    magnitudes = np.maximum(bands @ np.linalg.pinv(mel_filters(config, sample_rate).astype(np.float64)), 0.0)
    window = _hann(config.window).astype(np.float64)
    count, hop = len(bands), config.hop
    index = np.arange(count)[:, None] * hop + np.arange(config.window)
    # Least-squares inverse of the frames (Griffin and Lim, 1984, eq. 6).
    norm = np.maximum(_overlap_add(np.tile(window**2, (count, 1)), hop), 1e-3)

    def rebuild(spectrum: np.ndarray) -> np.ndarray:
        return _overlap_add(np.fft.irfft(spectrum, config.window) * window, hop) / norm

    phases = np.exp(2j * np.pi * np.random.default_rng(seed).random(magnitudes.shape))
    previous = np.zeros_like(phases)
    for _ in range(ITERATIONS):
        found = np.fft.rfft(rebuild(magnitudes * phases)[index] * window)
        moved = found + MOMENTUM * (found - previous)
        phases, previous = moved / np.maximum(np.abs(moved), 1e-12), found
    around = window_context(config)
    return rebuild(magnitudes * phases)[around : around + count * hop].astype(np.float32)


def _overlap_add(frames: Float[np.ndarray, "frames window"], hop: int) -> Float[np.ndarray, " samples"]:
    count, window = frames.shape
    parts = -(-window // hop)
    blocks = np.pad(frames, ((0, 0), (0, parts * hop - window))).reshape(count, parts, hop)
    found = np.zeros((count + parts - 1, hop))
    for part in range(parts):
        found[part : part + count] += blocks[:, part]
    return found.ravel()[: (count - 1) * hop + window]
