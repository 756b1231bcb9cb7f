"""Levels do not depend on windows or on other recordings; files come back; bad input is refused."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError

from slowae_rlt.events.event_list import Events
from slowae_rlt.models.encoder import WINDOW_SAMPLES
from slowae_rlt.models.slow_autoencoder import SlowAE


def test_windows_give_what_one_pass_gives(trained: SlowAE, speech: np.ndarray) -> None:
    steps = -(-len(speech) // 16)
    assert len(speech) > WINDOW_SAMPLES
    before, after = trained.encoder.context()
    padded = np.pad(speech, (before, steps * 16 - len(speech) + after))
    whole = np.asarray(trained.encoder(jnp.asarray(padded[None])))[0]
    np.testing.assert_allclose(trained.latents(speech), whole, rtol=1e-3, atol=1e-4)


def test_a_longer_recording_begins_with_the_same_integers(trained: SlowAE, speech: np.ndarray) -> None:
    """Windows have one shape, so that equal samples give equal bits."""
    once, twice = trained.encode(speech), trained.encode(np.concatenate([speech, speech]))
    reach = 30  # the end of the shorter one sees silence
    known = once.steps - reach
    np.testing.assert_array_equal(once.raster()[:known], twice.raster()[:known])


def test_encode_and_decode(trained: SlowAE, speech: np.ndarray) -> None:
    events = trained.encode(speech)
    assert isinstance(events, Events)
    assert events.samples == len(speech)
    sound = trained.decode(events)
    assert sound.shape == speech.shape
    assert np.isfinite(sound).all()
    assert trained.decode(events.prefix(len(events) // 2)).shape[0] < len(speech)


def test_files(trained: SlowAE, weights: Path, speech: np.ndarray) -> None:
    again = SlowAE.from_pretrained(weights)
    assert again.digest() == trained.digest()
    assert again.encode(speech) == trained.encode(speech)


def test_refused(trained: SlowAE, speech: np.ndarray, tmp_path: Path) -> None:
    other = SlowAE(trained.config, nnx.Rngs(9))
    with pytest.raises(UsageError, match="decode with the weights that encoded them"):
        other.decode(trained.encode(speech))
    with pytest.raises(UsageError, match="mix channels"):
        trained.encode(np.zeros((10, 2), np.float32))
    other.decoder.head.bias[...] = other.decoder.head.bias[...].at[0].set(jnp.nan)  # type: ignore[index]
    other.save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="head/bias is not finite"):
        SlowAE.from_pretrained(tmp_path)
    with pytest.raises(UsageError, match="spectrogram is not finite"):
        other.decode(other.encode(speech))
