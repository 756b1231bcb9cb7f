from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.accelerator import AcceleratorOptions
from onepaper.errors import UsageError
from onepaper.jax.accelerator import Accelerator

from perceiver_ar.config import SOS, ModelConfig, SamplingOptions
from perceiver_ar.generation.cache import evict_oldest
from perceiver_ar.generation.decode import Sampler

SMALL = ModelConfig(
    vocab_size=11, context_length=12, num_latents=4, depth=2, width=16, heads=2, rotary_fraction=0.5, chunk=5
)
PROMPTS = [[SOS, 5, 6], [SOS], [SOS, 3, 4, 5, 6, 7, 8]]
GREEDY = SamplingOptions(temperature=0.0)


@nnx.jit(static_argnames="num_latents")
def fresh(model, tokens, lengths, num_latents, coordinates=None):
    return model(tokens, lengths, coordinates, num_latents=num_latents)[:, -1]


@pytest.mark.parametrize(
    ("config", "prompts"),
    [
        (SMALL, PROMPTS),
        pytest.param(replace(SMALL, positions="absolute", depth=1), [[SOS, 5]], marks=pytest.mark.slow),
        pytest.param(replace(SMALL, positions="absolute", depth=1), PROMPTS, marks=pytest.mark.slow),
        pytest.param(SMALL, [[SOS, 5]], marks=pytest.mark.slow),
    ],
)
def test_every_step_equals_a_fresh_pass(config: ModelConfig, prompts: list[list[int]], stirred) -> None:
    model, total = stirred(config), 26
    sampler = Sampler(model, reset_fill=2)
    state = sampler.start(prompts)
    rows = [list(prompt) for prompt in prompts]
    fills = []
    for _ in range(total):
        lengths = state.lengths.tolist()
        # Everything is in the window while it fits, and the cached logits are those of a fresh pass over the window.
        for row, length, everything in zip(np.asarray(state.tokens), lengths, rows, strict=True):
            assert length == len(everything) or (length <= 12 < len(everything))
            assert row[:length].tolist() == everything[len(everything) - length :]
            assert not row[length:].any()
        for number, latents in enumerate(state.latents.tolist()):
            wanted = fresh(model, state.tokens, state.lengths, latents)[number]
            np.testing.assert_allclose(state.logits[number], wanted, rtol=0, atol=1e-4)
        assert [latents for latents, length in zip(state.latents, lengths, strict=True) if length < 5] == [
            length for length in lengths if length < 5
        ]  # while all inputs can be latents, they are
        fills.append(state.latents.tolist())
        state, tokens = sampler.step(state, jax.random.key(0))
        for everything, token in zip(rows, tokens.tolist(), strict=True):
            everything.append(token)
    assert state.seen.tolist() == [len(everything) for everything in rows]
    assert int(state.lengths.max()) <= 12 < max(state.seen.tolist())  # the window did slide
    assert all(numbers.count(2) >= 6 for numbers in zip(*fills, strict=True))  # and resets did happen


def test_without_a_reset_the_cache_drifts(stirred) -> None:
    """What resets are for: a latent that stays in a rolling cache knows more than a fresh one would."""
    model = stirred(SMALL)
    tokens = jnp.asarray(np.random.default_rng(0).integers(3, 11, (1, 12)))
    lengths = jnp.array([12])
    kept, anew = fresh(model, tokens, lengths, 12), fresh(model, tokens, lengths, 4)
    assert np.abs(kept - anew).max() > 1e-2


@pytest.mark.parametrize("depth", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_rolling_caches_drift_where_there_is_depth(depth: int, stirred) -> None:
    """Keys of the first layer know of no older latents, those of the second do."""
    model = stirred(replace(SMALL, depth=depth))
    tokens = np.random.default_rng(0).integers(3, 11, 11)
    sampler = Sampler(model)
    state = sampler.reset(sampler.start([tokens[:4].tolist()], 7), 4)
    for end in range(4, 11):
        state = sampler.decode_step(evict_oldest(state), jnp.asarray(tokens[end : end + 1]))
    assert (int(state.filled), state.tokens[0, :11].tolist()) == (4, tokens.tolist())
    wanted = fresh(model, jnp.asarray(tokens[None]), jnp.array([11]), 4)
    assert np.allclose(state.logits, wanted, rtol=1e-3, atol=1e-3) == (depth == 1)
    np.testing.assert_allclose(sampler.reset(state, 4).logits, wanted, rtol=1e-3, atol=1e-3)
    with pytest.raises(UsageError, match="the caches hold 4 latents and 11 inputs, expected fewer than 4 and 12"):
        sampler.decode_step(state, jnp.asarray(tokens[:1]))
    with pytest.raises(UsageError, match="latents are 5, expected 1 to 4"):
        sampler.reset(state, 5)
    for token, message in (
        (np.array([11]), "token has ids from 11 to 11, expected 1 to 10"),
        (np.array([2.5]), "token is float64 of shape \\(1,\\), expected integers"),
        (np.array([3, 4]), "there are 2 tokens for 1 sequences"),
    ):
        with pytest.raises(UsageError, match=message):
            sampler.decode_step(evict_oldest(state), token)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["asked for", "as the model computes"])
def test_caches_in_half_precision(how: str, stirred) -> None:
    model = stirred(SMALL)
    full = Sampler(model, GREEDY, reset_fill=2)
    if how == "asked for":
        half = Sampler(model, GREEDY, reset_fill=2, cache_dtype=jnp.bfloat16)
    else:
        model = stirred(SMALL)
        Accelerator(AcceleratorOptions(precision="bf16")).apply_precision(model)
        half = Sampler(model, GREEDY, reset_fill=2)
    states = {}
    for name, sampler in (("full", full), ("half", half)):
        state = sampler.start(PROMPTS, 20)
        for _ in range(3):  # an ordinary step, a reset and another step
            logits = state.logits
            state, _ = sampler.step(state._replace(logits=jnp.eye(11)[jnp.array([5, 6, 7])]), jax.random.key(0))
        states[name] = state, logits
    for array in (*states["half"][0].cross, *states["half"][0].stack):
        assert array.dtype == jnp.bfloat16
    bytes_of = {name: sum(a.nbytes for a in (*s.cross, *s.stack)) for name, (s, _) in states.items()}
    assert bytes_of["full"] == 2 * bytes_of["half"]
    scale = float(jnp.abs(states["full"][1]).max())
    np.testing.assert_allclose(states["half"][1], states["full"][1], atol=0.05 * scale)
    assert (states["half"][1] != states["full"][1]).any()
