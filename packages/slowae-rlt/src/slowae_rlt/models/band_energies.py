"""An encoder without training: smoothed energies of a few bands. A baseline, and a model for quick tests."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import convolve1d

from slowae_rlt.config import MelConfig, ModelConfig
from slowae_rlt.data.mel import CENTRE, SCALE, griffin_lim, log_mel, window_context
from slowae_rlt.data.recordings import check_samples
from slowae_rlt.events.event_list import NO_MODEL, Events, check_model
from slowae_rlt.events.schmitt_trigger import quantize

# Scaled logarithms of silence and of loud speech are about this; they become -1 and 1.
QUIET, LOUD = -0.5, 1.3

SMOOTHING_SECONDS = 0.1


class BandEnergies:
    """Logarithms of the energies of C mel bands on the grid, smoothed by a Hann window, as latents.

    Args:
        config: sample rate, quantiser, grid and spectrogram; the networks are not made.
    """

    def __init__(self, config: ModelConfig | None = None) -> None:
        self.config = config or ModelConfig()
        self.mel = MelConfig(hop=self.config.encoder.stride, bands=self.config.quantizer.channels)
        taps = np.hanning(int(SMOOTHING_SECONDS * self.config.grid_rate) // 2 * 2 + 3)
        self._smoothing = taps / taps.sum()

    def latents(self, samples: Float[np.ndarray, " samples"]) -> Float[np.ndarray, "T C"]:
        """Latents of a recording; around it there is silence.

        Raises:
            UsageError: samples that are no mono recording, see `check_samples`.
        """
        check_samples(samples)
        stride, around = self.mel.hop, window_context(self.mel)
        steps = -(-len(samples) // stride)
        padded = np.zeros(2 * around + steps * stride, np.float32)
        padded[around : around + len(samples)] = samples
        energies = np.asarray(log_mel(padded, self.mel, self.config.sample_rate))
        smooth = convolve1d(energies.astype(np.float64), self._smoothing, axis=0, mode="nearest")
        scaled = 2.0 * (smooth - QUIET) / (LOUD - QUIET) - 1.0
        return scaled.clip(-1.0, 1.0).astype(np.float32)

    def encode(self, samples: Float[np.ndarray, " samples"]) -> Events:
        """Events of a recording at the sample rate of the configuration.

        Raises:
            UsageError: samples that are no mono recording, see `check_samples`.
        """
        quantizer = self.config.quantizer
        levels = quantize(self.latents(samples), quantizer.levels, quantizer.margin).levels
        return Events.from_raster(
            levels,
            highest=quantizer.levels,
            max_length=self.config.max_length,
            stride=self.mel.hop,
            sample_rate=self.config.sample_rate,
            samples=len(samples),
        )

    def spectrogram(self, events: Events) -> Float[np.ndarray, "frames bands"]:
        """The log-mel spectrogram of the decoder's bands, interpolated between those of the encoder."""
        target = self.config.decoder.mel
        frame = target.hop // self.mel.hop
        scaled = (events.raster() / events.highest + 1.0) / 2.0 * (LOUD - QUIET) + QUIET
        scaled = np.pad(scaled, ((0, -len(scaled) % frame), (0, 0)), mode="edge")
        coarse = scaled.reshape(-1, frame, events.channels).mean(axis=1)
        bands = np.linspace(0, events.channels - 1, target.bands)
        fine = np.array([np.interp(bands, np.arange(events.channels), row) for row in coarse])
        # The floor of the logarithm is silence.
        return np.where(fine <= QUIET, (np.log(target.floor) - CENTRE) / SCALE, fine)

    def decode(self, events: Events, *, seed: int = 0) -> Float[np.ndarray, " samples"]:
        """Noisy sound with these band energies, as float32.

        Raises:
            UsageError: events of a model.
        """
        check_model(events, NO_MODEL)
        return griffin_lim(self.spectrogram(events), self.config.decoder.mel, self.config.sample_rate, seed=seed)[
            : events.samples
        ]

    def digest(self) -> bytes:
        """Eight zeros: there are no weights."""
        return NO_MODEL
