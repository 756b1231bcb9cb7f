"""Spectrograms against a direct computation, and sound that has the given spectrogram."""

import numpy as np
import pytest

from slowae_rlt.config import MelConfig
from slowae_rlt.data.mel import CENTRE, SCALE, griffin_lim, log_mel, mel_filters, window_context

MEL = MelConfig(bands=40, hop=64)


def test_filters() -> None:
    filters = mel_filters(MEL, 8000)
    np.testing.assert_allclose(filters.sum(axis=0), 1, rtol=1e-6)
    assert (np.diff(filters.argmax(axis=0)) >= 0).all()
    assert (mel_filters(MelConfig(bands=100), 8000).sum(axis=0) > 0).all()


def test_one_frame_by_a_sum() -> None:
    samples = np.random.default_rng(0).standard_normal(MEL.window + 2 * MEL.hop).astype(np.float32)
    found = np.asarray(log_mel(samples, MEL, 8000))
    n = np.arange(MEL.window)
    windowed = samples[MEL.hop : MEL.hop + MEL.window] * (0.5 - 0.5 * np.cos(2 * np.pi * n / MEL.window))
    magnitudes = [abs((windowed * np.exp(-2j * np.pi * k * n / MEL.window)).sum()) for k in range(MEL.window // 2 + 1)]
    expected = (np.log(np.array(magnitudes) @ mel_filters(MEL, 8000) + MEL.floor) - CENTRE) / SCALE
    np.testing.assert_allclose(found[1], expected, rtol=1e-4, atol=1e-4)
    assert len(found) == 3


def test_frames_are_centred_on_their_hop() -> None:
    around = window_context(MEL)
    samples = np.zeros(8 * MEL.hop, np.float32)
    samples[3 * MEL.hop + MEL.hop // 2] = 1.0
    frames = np.asarray(log_mel(np.pad(samples, around), MEL, 8000))
    assert len(frames) == 8
    assert frames.mean(axis=1).argmax() == 3


@pytest.mark.parametrize("hop", [64, 100])
def test_griffin_lim(hop: int, speech: np.ndarray) -> None:
    config = MelConfig(hop=hop)
    around = window_context(config)
    samples = speech[: 100 * hop]
    target = np.asarray(log_mel(np.pad(samples, around), config, 8000))
    found = griffin_lim(target, config, 8000, seed=1)
    assert found.shape == (100 * hop,)
    again = np.asarray(log_mel(np.pad(found, around), config, 8000))
    assert np.abs(again - target)[2:-2].mean() * SCALE * 8.686 < 2.0  # dB
    np.testing.assert_array_equal(found, griffin_lim(target, config, 8000, seed=1))
