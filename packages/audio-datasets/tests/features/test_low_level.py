"""Descriptors of sounds with known pitch, energy and spectrum."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from audio_datasets.config import FeatureConfig
from audio_datasets.features.low_level import low_level

CONFIG = FeatureConfig()


def descriptor(samples: np.ndarray, name: str, config: FeatureConfig = CONFIG) -> np.ndarray:
    values, names = low_level(samples.astype(np.float32), config)
    return values[:, names.index(name)]


def tone(frequency: float, rate: int = 16_000) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(rate) / rate)


@pytest.mark.parametrize("frequency", [80, 110, 220, 311.1, 440, 700])
def test_pitch_of_tones(frequency: float) -> None:
    """220 Hz are 36 semitones above 27.5 Hz."""
    pitch = descriptor(tone(frequency), "pitch")
    assert not np.isnan(pitch).any()
    np.testing.assert_allclose(pitch, 12 * np.log2(frequency / 27.5), atol=0.1)


def test_pitch_of_a_pulse_train() -> None:
    """Many harmonics: no octave errors."""
    samples = np.zeros(16_000)
    samples[::125] = 1  # 128 Hz
    np.testing.assert_allclose(np.nanmedian(descriptor(samples, "pitch")), 12 * np.log2(128 / 27.5), atol=0.1)


def test_noise_and_silence_are_not_voiced() -> None:
    noise = np.random.default_rng(0).standard_normal(16_000)
    assert np.isnan(descriptor(noise, "pitch")).mean() > 0.9
    assert np.isnan(descriptor(np.zeros(16_000), "pitch")).all()


def test_energy_and_spectrum() -> None:
    assert descriptor(tone(1000), "log_energy").mean() == pytest.approx(np.log(0.125), abs=0.01)
    assert descriptor(tone(1000), "centroid").mean() == pytest.approx(1000, abs=15)
    assert descriptor(tone(1000), "zero_crossings").mean() == pytest.approx(2000 / 16_000, rel=0.05)
    noise = np.random.default_rng(0).standard_normal(16_000)
    assert descriptor(noise, "flatness").mean() > descriptor(tone(1000), "flatness").mean() + 3
    assert descriptor(noise, "rolloff").mean() == pytest.approx(0.85 * 8000, rel=0.05)


def test_cepstra_against_scipy() -> None:
    from scipy.fft import dct

    noise = np.random.default_rng(1).standard_normal(8000).astype(np.float32)
    values, names = low_level(noise, CONFIG)
    mel = values[:, [names.index(f"log_mel_{number}") for number in range(26)]]
    found = values[:, [names.index(f"mfcc_{number}") for number in range(1, 14)]]
    np.testing.assert_allclose(found, dct(mel, norm="ortho", axis=1)[:, 1:14], atol=1e-3)


def test_jitter_of_a_steady_tone_is_small() -> None:
    assert np.nanmax(descriptor(tone(220), "jitter")) < 1e-3
    generator = np.random.default_rng(0)
    wobbling = np.sin(2 * np.pi * np.cumsum(220 + 30 * np.repeat(generator.standard_normal(100), 160)) / 16_000)
    assert np.nanmean(descriptor(wobbling, "jitter")) > 0.02


def test_short_and_wrong_sounds() -> None:
    assert len(low_level(np.zeros(5, np.float32), CONFIG).values) == 1
    for samples in (np.zeros(0), np.zeros((5, 2)), np.full(600, np.nan)):
        with pytest.raises(UsageError, match="expected finite samples of one channel"):
            low_level(samples, CONFIG)
