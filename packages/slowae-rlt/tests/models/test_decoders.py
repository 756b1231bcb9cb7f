"""Decoding in windows equals decoding at once; both kinds of decoders make sound."""

from dataclasses import replace

import numpy as np
import pytest
from flax import nnx

from slowae_rlt.config import ExperimentConfig
from slowae_rlt.models import decoders
from slowae_rlt.models.decoders import decode_codes, make_decoder, predict_spectrogram
from slowae_rlt.models.mel_decoder import MelDecoder
from slowae_rlt.models.slow_autoencoder import SlowAE
from slowae_rlt.presets import PRESETS


def test_windows(trained: SlowAE, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = np.random.default_rng(0).integers(-1, 2, (700, 4)).cumsum(axis=0).clip(-7, 7) / 7
    assert isinstance(trained.decoder, MelDecoder)
    found = predict_spectrogram(trained.decoder, levels)
    assert found.shape == (175, 48)
    monkeypatch.setattr(decoders, "WINDOW_STEPS", 64)
    np.testing.assert_allclose(predict_spectrogram(trained.decoder, levels), found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["smoke", "smoke-waveform"])
def test_sound_of_each_kind(name: str) -> None:
    experiment: ExperimentConfig = PRESETS[name].config
    model = replace(experiment.model)
    sound = decode_codes(make_decoder(model, nnx.Rngs(0)), model, np.zeros((9, 4), np.float32))
    assert sound.dtype == np.float32
    assert len(sound) >= 9 * 16
    assert np.isfinite(sound).all()
