"""Cached sampling draws what the forward pass draws; causality; learning; sound."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError

from slowae_rlt.config import DecoderConfig, EncoderConfig, ModelConfig, WaveformConfig
from slowae_rlt.data.mu_law import TABLE
from slowae_rlt.models import waveform_decoder
from slowae_rlt.models.waveform_decoder import SILENCE, WaveformDecoder, draw_samples, sample_waveform

CONFIG = ModelConfig(
    encoder=EncoderConfig(width=16, dilations=(1,)),
    decoder=DecoderConfig(
        "waveform", width=16, dilations=(1, 2), waveform=WaveformConfig(width=8, skip=16, dilations=(1, 2, 4, 16, 1, 3))
    ),
)


@pytest.fixture(scope="module")
def decoder() -> WaveformDecoder:
    """Untrained, with a head that is not 0."""
    made = WaveformDecoder(CONFIG, nnx.Rngs(0))
    made.head.kernel[...] = jax.random.normal(jax.random.key(1), made.head.kernel.shape)
    return made


def _conditions(decoder: WaveformDecoder, steps: int) -> jax.Array:
    shape = (2, steps + decoder.warm_up + 2 * decoder.stack.context, 4)
    return decoder.conditions(jax.random.normal(jax.random.key(2), shape))


def test_cached_samples_are_those_of_the_forward_pass(decoder: WaveformDecoder) -> None:
    """The reference computes everything again for each sample, without a cache; the integers are the same."""
    steps, key = 3, jax.random.key(3)
    conditions = _conditions(decoder, steps)
    graph, state = nnx.split(decoder)
    by_step = jnp.moveaxis(conditions, 0, 2)
    memory = decoder.empty_memory(2)
    memory, _, _ = draw_samples(graph, state, memory, by_step[: decoder.warm_up], key, np.True_)
    _, drawn, finite = draw_samples(graph, state, memory, by_step[decoder.warm_up :], key, np.False_)
    assert finite
    noise = jax.random.gumbel(key, (steps, 16, 2, 256)).reshape(-1, 2, 256)
    symbols = np.full((2, decoder.history), SILENCE)
    forward = jax.jit(lambda padded: decoder.logits(padded, conditions))
    for number in range(steps * 16):
        padded = np.pad(symbols, ((0, 0), (0, steps * 16 - number - 1)))
        own = forward(jnp.asarray(padded))[:, number]
        symbols = np.concatenate([symbols, np.asarray(jnp.argmax(own + noise[number], axis=-1))[:, None]], axis=1)
    np.testing.assert_array_equal(np.asarray(drawn).reshape(-1, 2).T, symbols[:, decoder.history :])
    assert len(np.unique(symbols[:, decoder.history :])) > 20


def test_cached_logits_are_those_of_the_forward_pass(decoder: WaveformDecoder) -> None:
    steps = 2
    conditions = _conditions(decoder, steps)
    symbols = np.random.default_rng(0).integers(0, 256, (2, decoder.history + steps * 16))
    symbols[:, : decoder.history] = SILENCE
    expected = decoder.logits(jnp.asarray(symbols[:, :-1]), conditions)
    memory, found = decoder.empty_memory(2), []
    for number in range(-decoder.warm_up * 16, steps * 16):
        condition = jnp.moveaxis(conditions[:, number // 16 + decoder.warm_up], 0, 1)
        logits, memory = decoder.step(memory, condition)
        found.append(logits)
        own = symbols[:, decoder.history + number] if number >= 0 else np.full(2, SILENCE)
        memory = memory._replace(symbol=jnp.asarray(own))
    np.testing.assert_allclose(jnp.stack(found[-steps * 16 :], axis=1), expected, atol=1e-4)


def test_causality(decoder: WaveformDecoder) -> None:
    conditions = _conditions(decoder, 2)
    symbols = np.random.default_rng(0).integers(0, 256, (2, decoder.history + 31))
    before = decoder.logits(jnp.asarray(symbols), conditions)
    changed = symbols.copy()
    changed[:, decoder.history + 9] += 1
    after = decoder.logits(jnp.asarray(changed % 256), conditions)
    differs = np.abs(np.asarray(after - before)).max(axis=(0, 2)) > 0
    assert not differs[:10].any()
    assert differs[10]
    reach = decoder.history
    single = decoder.logits(jnp.asarray(symbols[:, 5 : 5 + reach]), conditions[:, : decoder.warm_up + 1])
    assert single.shape == (2, 1, 256)
    # Levels of the second grid step: nothing of the first step depends on them.
    after = decoder.logits(jnp.asarray(symbols), conditions.at[:, decoder.warm_up + 1].add(1.0))
    differs = np.abs(np.asarray(after - before)).max(axis=(0, 2)) > 0
    assert not differs[:16].any()
    assert differs[16:].all()


def test_nats_of_a_uniform_model() -> None:
    decoder = WaveformDecoder(CONFIG, nnx.Rngs(0))
    levels = jnp.zeros((1, 4 + 2 * decoder.context, 4))
    symbols = jnp.full((1, decoder.history + 64), 7)
    np.testing.assert_allclose(decoder.nats(levels, symbols), np.full((1, 64), np.log(256)), rtol=1e-6)


def test_sound(decoder: WaveformDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waveform_decoder, "WINDOW_STEPS", 8)
    levels = np.zeros((11, 4), np.float32)
    sound = sample_waveform(decoder, levels, seed=1)
    assert sound.shape == (176,)
    assert np.isin(sound, TABLE.astype(np.float32)).all()
    np.testing.assert_array_equal(sound, sample_waveform(decoder, levels, seed=1))
    assert (sound != sample_waveform(decoder, levels, seed=2)).any()
    broken = nnx.clone(decoder)
    broken.head.bias[...] = broken.head.bias[...] * jnp.nan
    with pytest.raises(UsageError, match="logits are not finite"):
        sample_waveform(broken, levels)
