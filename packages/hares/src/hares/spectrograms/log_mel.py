r"""The log-mel front end: frames without padding, triangular mel filters, logarithm, one mean and deviation a clip.

Frame $t$ holds the samples $[t h, t h + w)$ and is centred at $t h + w/2$; $n$ samples give
$1 + \lfloor (n - w)/h \rfloor$ frames. A clip shorter than a window is padded with zeros to one window.
"""

import functools
import math

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from hares.config import FrontEndConfig

_SLANEY_STEP, _SLANEY_KNEE, _SLANEY_LOG = 200.0 / 3, 1000.0, math.log(6.4) / 27.0
_SMALLEST_DEVIATION = 1e-3
# On a CPU: frames whose spectra stay in the cache of a core, and bands of one product.
_CACHED_FRAMES, _BANDS_AT_ONCE = 1000, 16


def hertz_to_mel(hertz: npt.ArrayLike, scale: str) -> npt.NDArray[np.float64] | np.float64:
    """HTK: 2595 log10(1 + f/700). Slaney: linear up to 1 kHz, logarithmic above, as in the Auditory Toolbox."""
    frequency = np.asarray(hertz, np.float64)
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + frequency / 700.0)
    linear = frequency / _SLANEY_STEP
    knee = _SLANEY_KNEE / _SLANEY_STEP
    return np.where(
        frequency < _SLANEY_KNEE,
        linear,
        knee + np.log(np.maximum(frequency, _SLANEY_KNEE) / _SLANEY_KNEE) / _SLANEY_LOG,
    )


def mel_to_hertz(mels: npt.ArrayLike, scale: str) -> npt.NDArray[np.float64] | np.float64:
    """The inverse of `hertz_to_mel`."""
    mel = np.asarray(mels, np.float64)
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    knee = _SLANEY_KNEE / _SLANEY_STEP
    return np.where(mel < knee, mel * _SLANEY_STEP, _SLANEY_KNEE * np.exp(_SLANEY_LOG * np.maximum(mel - knee, 0.0)))


def band_edges(config: FrontEndConfig) -> npt.NDArray[np.float64]:
    """Frequencies of the corners of the filters, equally spaced in mels: band b has its peak at corner b + 1."""
    low, high = hertz_to_mel([config.low, config.high], config.scale)
    return mel_to_hertz(np.linspace(low, high, config.mels + 2), config.scale)


@functools.cache
def mel_filters(config: FrontEndConfig) -> Float[Tensor, "bins mels"]:
    """Triangular filters on the bins of the Fourier transform, of peak 1 (or of unit area).

    A band narrower than the distance of two bins may hold none; such a band has zeros, and `empty_bands` names it.
    """
    corners = band_edges(config)
    bins = np.linspace(0.0, config.rate / 2, config.fft // 2 + 1)[:, None]
    lower, peak, upper = corners[:-2], corners[1:-1], corners[2:]
    filters = np.maximum(0.0, np.minimum((bins - lower) / (peak - lower), (upper - bins) / (upper - peak)))
    if config.area_norm:
        filters = filters * (2.0 / (upper - lower))
    return torch.from_numpy(filters.astype(np.float32))


def empty_bands(config: FrontEndConfig) -> list[int]:
    """Bands that no bin falls into; a longer `fft` fills them."""
    return torch.nonzero(mel_filters(config).sum(0) == 0).flatten().tolist()


def frame_count(samples: int, config: FrontEndConfig) -> int:
    """Number of frames of a clip."""
    return 1 + max(0, samples - config.window) // config.hop


@functools.cache
def _banded_filters(config: FrontEndConfig, width: int, device: torch.device) -> list[tuple[slice, Tensor]]:
    """The filters of `width` bands at a time, on the bins that these reach: most of `mel_filters` is zeros."""
    banded: list[tuple[slice, Tensor]] = []
    for filters in mel_filters(config).split(width, 1):
        reached = torch.nonzero(filters.any(1)).flatten().tolist() or [0]
        bins = slice(reached[0], reached[-1] + 1)
        banded.append((bins, filters[bins].to(device).contiguous()))
    return banded


def mel_power(samples: Float[Tensor, "batch samples"], config: FrontEndConfig) -> Float[Tensor, "batch frames mels"]:
    """Mel powers (or magnitudes) of waveforms."""
    # A transform begins with its window, so that only zeros of the window see what is behind the last frame.
    behind = max(0, config.window - samples.shape[-1]) + config.fft - config.window
    frames, on_cpu = frame_count(samples.shape[-1], config), samples.device.type == "cpu"
    rows = max(1, _CACHED_FRAMES // frames) if on_cpu else max(1, len(samples))
    banded = _banded_filters(config, _BANDS_AT_ONCE if on_cpu else config.mels, samples.device)
    window = torch.nn.functional.pad(
        torch.hann_window(config.window, periodic=True, device=samples.device), (0, config.fft - config.window)
    )
    made: list[Tensor] = []
    for part in torch.nn.functional.pad(samples, (0, behind)).split(rows):
        spectrum = torch.fft.rfft(part.unfold(-1, config.fft, config.hop) * window)
        squares = torch.view_as_real(spectrum).square_()
        power = squares[..., 0] + squares[..., 1]  # a sum over a last axis of 2 is slower
        if config.power == 1:
            power = power.sqrt()
        made.append(torch.cat([power[..., bins] @ filters for bins, filters in banded], -1))
    return torch.cat(made)


def log_of_power(
    power: Float[Tensor, "batch frames mels"], config: FrontEndConfig
) -> Float[Tensor, "batch frames mels"]:
    """ln(power + offset)."""
    return (power + config.offset).log()


def standardize(log_mel: Float[Tensor, "batch frames mels"]) -> Float[Tensor, "batch frames mels"]:
    """Each example with mean 0 and deviation 1 over time and bands (paper, appendix C); a constant one becomes 0."""
    mean = log_mel.mean((-2, -1), keepdim=True)
    centred = log_mel - mean
    deviation = centred.square().mean((-2, -1), keepdim=True).sqrt()
    return centred / deviation.clamp(min=_SMALLEST_DEVIATION)


def log_mel(samples: Float[Tensor, "batch samples"], config: FrontEndConfig) -> Float[Tensor, "batch frames mels"]:
    """What a network sees of waveforms: the log-mel spectrogram, standardised if the configuration says so."""
    made = log_of_power(mel_power(samples, config), config)
    return standardize(made) if config.standardize else made
