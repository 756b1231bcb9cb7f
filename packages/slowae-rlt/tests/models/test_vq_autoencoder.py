"""Codes of recordings: rate, windows, files, and what is refused."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError

from slowae_rlt.models.codebook import nearest_codes
from slowae_rlt.models.vq_autoencoder import VQAutoencoder
from slowae_rlt.presets import PRESETS


@pytest.fixture(scope="module")
def model(speech: np.ndarray) -> VQAutoencoder:
    """Untrained, with a codebook of its own vectors."""
    made = VQAutoencoder(PRESETS["smoke-vq"].config.model, nnx.Rngs(0))
    before, after = made.encoder.context()
    x = made.encoder(jnp.asarray(np.pad(speech[:8192], (before, after))[None]))
    made.codebook.counts[...] = jnp.ones(32)
    made.codebook.sums[...] = x[0, :32]
    return made


def test_one_code_is_16_ms(model: VQAutoencoder, speech: np.ndarray) -> None:
    codes = model.encode(speech)
    assert model.config.code_rate == 62.5
    assert len(codes) == -(-len(speech) // 128)
    np.testing.assert_array_equal(codes[:32], np.arange(32))
    assert model.decode(codes).shape == (len(codes) * 128,)
    assert PRESETS["paper-vq625"].config.model.samples_per_code * 512 == 196_608


def test_windows(model: VQAutoencoder, speech: np.ndarray) -> None:
    before, after = model.encoder.context()
    padded = np.pad(speech, (before, -len(speech) % 128 + after))
    whole = model.encoder(jnp.asarray(padded[None]))[0]
    np.testing.assert_array_equal(model.encode(speech), nearest_codes(whole, model.codebook.statistics.vectors()))


def test_files_have_the_codebook(model: VQAutoencoder, speech: np.ndarray, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    np.testing.assert_array_equal(VQAutoencoder.from_pretrained(tmp_path).encode(speech), model.encode(speech))
    broken = nnx.clone(model)
    broken.codebook.counts[...] = broken.codebook.counts[...] * jnp.nan
    broken.save_pretrained(tmp_path / "broken")
    with pytest.raises(UsageError, match="codebook is not finite"):
        VQAutoencoder.from_pretrained(tmp_path / "broken")


@pytest.mark.parametrize("codes", [np.array([], int), np.array([32]), np.array([-1]), np.zeros((2, 2), int)])
def test_refused(model: VQAutoencoder, codes: np.ndarray) -> None:
    with pytest.raises(UsageError, match="numbers of 0 to 31"):
        model.decode(codes)
