from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.accelerator import AcceleratorOptions
from onepaper.errors import UsageError
from onepaper.jax.accelerator import Accelerator

from perceiver_ar.config import EOS, PAD, SOS, ModelConfig, SamplingOptions
from perceiver_ar.generation import Sampler, choose, cut, roll
from perceiver_ar.model import PerceiverAR

SMALL = ModelConfig(
    vocab_size=11, context_length=12, num_latents=4, depth=2, width=16, heads=2, rotary_fraction=0.5, chunk=5
)
PROMPTS = [[SOS, 5, 6], [SOS], [SOS, 3, 4, 5, 6, 7, 8]]
GREEDY = SamplingOptions(temperature=0.0)


@nnx.jit(static_argnames="num_latents")
def fresh(model, tokens, lengths, num_latents, coordinates=None):
    return model(tokens, lengths, coordinates, num_latents=num_latents)[:, -1]


@pytest.mark.parametrize("config", [SMALL, replace(SMALL, positions="absolute", depth=1)])
@pytest.mark.parametrize("prompts", [PROMPTS, [[SOS, 5]]])
def test_every_step_equals_a_fresh_pass(config: ModelConfig, prompts: list[list[int]], stirred) -> None:
    model, total = stirred(config), 26
    sampler = Sampler(model, reset_fill=2)
    state = sampler.start(prompts, total)
    rows = [list(prompt) for prompt in prompts]
    fills = [int(state.filled)]
    for number in range(total):
        # The window is the end of what has been drawn, and the cached logits are those of a fresh pass over it.
        for row, length, everything in zip(np.asarray(state.tokens), state.lengths.tolist(), rows, strict=True):
            assert row[:length].tolist() == everything[len(everything) - length :]
            assert not row[length:].any()
        wanted = fresh(model, state.tokens, state.lengths, int(state.filled))
        np.testing.assert_allclose(state.logits, wanted, rtol=1e-3, atol=1e-3)
        state, tokens = sampler.step(state, jax.random.key(0), total - number)
        for everything, token in zip(rows, tokens.tolist(), strict=True):
            everything.append(token)
        fills.append(int(state.filled))
    assert state.seen.tolist() == [len(everything) for everything in rows]
    assert int(state.lengths.max()) < max(state.seen.tolist())  # the window did slide
    assert fills.count(2) >= 6  # and resets did happen


def test_without_a_reset_the_cache_drifts(stirred) -> None:
    """What resets are for: a latent that stays in a rolling cache knows more than a fresh one would."""
    model = stirred(SMALL)
    tokens = jnp.asarray(np.random.default_rng(0).integers(3, 11, (1, 12)))
    lengths = jnp.array([12])
    kept, anew = fresh(model, tokens, lengths, 12), fresh(model, tokens, lengths, 4)
    assert np.abs(kept - anew).max() > 1e-2


@pytest.mark.parametrize("depth", [1, 2])
def test_rolling_caches_drift_where_there_is_depth(depth: int, stirred) -> None:
    """Keys of the first layer know of no older latents, those of the second do."""
    model = stirred(replace(SMALL, depth=depth))
    tokens = np.random.default_rng(0).integers(3, 11, 11)
    sampler = Sampler(model)
    state = sampler.refill(sampler.start([tokens[:4].tolist()], 7), 4)
    for end in range(4, 11):
        state = sampler.feed(roll(state), jnp.asarray(tokens[end : end + 1]))
    assert (int(state.filled), state.tokens[0, :11].tolist()) == (4, tokens.tolist())
    wanted = fresh(model, jnp.asarray(tokens[None]), jnp.array([11]), 4)
    assert np.allclose(state.logits, wanted, rtol=1e-3, atol=1e-3) == (depth == 1)
    np.testing.assert_allclose(sampler.refill(state, 4).logits, wanted, rtol=1e-3, atol=1e-3)
    with pytest.raises(UsageError, match="the caches hold 4 latents and 11 inputs, expected fewer than 4 and 12"):
        sampler.feed(state, jnp.asarray(tokens[:1]))
    with pytest.raises(UsageError, match="latents are 5, expected 1 to 4"):
        sampler.refill(state, 5)


def test_generating_at_once_or_step_by_step(stirred) -> None:
    model, key = stirred(SMALL), jax.random.key(3)
    sampler = Sampler(model, SamplingOptions(top_k=6, top_p=0.9), reset_fill=2)
    at_once = np.array(sampler.generate(PROMPTS, 17, key))
    state, steps = sampler.start(PROMPTS, 17), []
    for number in range(17):
        state, token = sampler.step(state, key, 17 - number)
        steps.append(np.asarray(token))
    np.testing.assert_array_equal(at_once, np.stack(steps, axis=1))
    np.testing.assert_array_equal(at_once, np.array(sampler.generate(PROMPTS, 17, key)))
    assert (at_once != np.array(sampler.generate(PROMPTS, 17, jax.random.key(4)))).any()
    assert not np.isin(at_once, (PAD, SOS)).any()


def test_batched_prompts_equal_each_alone(stirred) -> None:
    sampler = Sampler(stirred(SMALL), GREEDY, reset_fill=2)
    together = sampler.generate([[SOS, 5, 6, 7, 8], [SOS, 3, 4, 5, 6]], 6, jax.random.key(0))
    for prompt, got in zip([[SOS, 5, 6, 7, 8], [SOS, 3, 4, 5, 6]], together, strict=True):
        np.testing.assert_array_equal(got, sampler.generate([prompt], 6, jax.random.key(0))[0])


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
        for number in range(3):  # an ordinary step, a reset and another step
            logits = state.logits
            state, _ = sampler.step(
                state._replace(logits=jnp.eye(11)[jnp.array([5, 6, 7])]), jax.random.key(0), 20 - number
            )
        states[name] = state, logits
    for array in (*states["half"][0].cross, *states["half"][0].stack):
        assert array.dtype == jnp.bfloat16
    bytes_of = {name: sum(a.nbytes for a in (*s.cross, *s.stack)) for name, (s, _) in states.items()}
    assert bytes_of["full"] == 2 * bytes_of["half"]
    scale = float(jnp.abs(states["full"][1]).max())
    np.testing.assert_allclose(states["half"][1], states["full"][1], atol=0.05 * scale)
    assert (states["half"][1] != states["full"][1]).any()


def test_a_sequence_ends_at_its_stop(stirred) -> None:
    sampler = Sampler(stirred(SMALL), reset_fill=2)
    full = sampler.generate(PROMPTS, 20, jax.random.key(1))
    cut_short = sampler.generate(PROMPTS, 20, jax.random.key(1), stop=EOS)
    for whole, part in zip(full, cut_short, strict=True):
        assert EOS not in part
        np.testing.assert_array_equal(part, whole[: len(part)])
        assert len(part) == 20 or whole[len(part)] == EOS


def test_tokens_of_channels_take_turns(stirred) -> None:
    allowed = np.zeros((3, 11), bool)
    allowed[0, 3:5] = allowed[1, 5:8] = allowed[2, 8:] = True
    got = Sampler(stirred(SMALL), allowed=allowed).generate([[SOS], [SOS, 3]], 15, jax.random.key(0))
    for row, start in zip(got, (0, 1), strict=True):
        for number, token in enumerate(row):
            assert allowed[(start + number) % 3, token]


@pytest.mark.parametrize("positions", ["absolute", "both"])
@pytest.mark.parametrize("total", [9, 12, 30])
def test_images_keep_to_their_places(total: int, positions: Any, stirred) -> None:
    """Whether the context, 12, holds the whole picture or not: coordinates are those of the place in the picture."""
    config = replace(SMALL, positions=positions, position_tables="learned", axes=(10, 3))
    coordinates = np.stack(np.divmod(np.arange(total), 3), axis=1)
    model = stirred(config)
    prompts = [[SOS, 4], [SOS], [SOS, 3, 4, 5, 6, 7, 8]]
    sampler, steps = Sampler(model, reset_fill=2, coordinates=coordinates), total - 7
    state = sampler.start(prompts, steps)
    for number in range(steps):
        first = np.asarray(state.seen - state.lengths)
        at = coordinates[np.minimum(first[:, None] + np.arange(12), total - 1)]
        wanted = fresh(model, state.tokens, state.lengths, int(state.filled), jnp.asarray(at))
        np.testing.assert_allclose(state.logits, wanted, rtol=0, atol=1e-4)
        state, _ = sampler.step(state, jax.random.key(0), steps - number)
    assert state.seen.tolist() == [total - 5, total - 6, total]
    assert (np.asarray(state.seen) > state.lengths).any() == (total == 30)  # whether the window did slide
    with pytest.raises(UsageError, match=f"{total} \\+ 1 tokens are more than the {total} places"):
        sampler.step(state, jax.random.key(0))
    with pytest.raises(UsageError, match=f"7 \\+ {steps + 1} tokens are more than the {total} places"):
        sampler.start(prompts, steps + 1)


def test_prompts_of_images_may_be_longer_than_the_context(stirred) -> None:
    config = replace(SMALL, positions="absolute", position_tables="learned", axes=(10, 3))
    coordinates = np.stack(np.divmod(np.arange(30), 3), axis=1)
    model, prompt = stirred(config), np.random.default_rng(0).integers(3, 11, 20).tolist()
    sampler = Sampler(model, coordinates=coordinates)
    state = sampler.start([prompt], 10)
    length = int(state.lengths[0])
    assert (int(state.seen[0]), state.tokens[0, :length].tolist()) == (20, prompt[-length:])
    at = jnp.asarray(coordinates[20 - length : 32 - length])[None]
    wanted = fresh(model, state.tokens, state.lengths, int(state.filled), at)
    np.testing.assert_allclose(state.logits, wanted, rtol=0, atol=1e-4)
    with pytest.raises(UsageError, match="prompt 0 has 31 tokens, expected 1 \\(SOS\\) to 30"):
        sampler.start([[SOS] * 31], 0)


def test_draws_follow_the_softmax() -> None:
    logits = jnp.array([0.3, 2.0, -1.0, 1.0])
    options = SamplingOptions(temperature=1.7)
    got = np.bincount(choose(jax.random.key(0), jnp.tile(logits, (100_000, 1)), options), minlength=4)
    wanted = np.exp(np.asarray(logits) / 1.7)
    wanted = wanted / wanted.sum() * 100_000
    assert ((got - wanted) ** 2 / wanted).sum() < 21.1  # chi-square, 3 degrees of freedom, p = 1e-4


@pytest.mark.parametrize("top_p", [0.05, 0.3, 0.6, 0.95, 0.999])
def test_the_nucleus_is_the_smallest_set(top_p: float) -> None:
    logits = np.random.default_rng(1).standard_normal((20, 9)) * 2
    got = np.isfinite(cut(jnp.asarray(logits, jnp.float32), SamplingOptions(top_p=top_p)))
    for row, kept in zip(logits, got, strict=True):
        p = np.exp(row) / np.exp(row).sum()
        order = np.argsort(-p)
        size = next(n for n in range(1, 10) if p[order[:n]].sum() >= top_p)
        assert set(np.flatnonzero(kept)) == set(order[:size])


def test_the_best_k_and_the_best() -> None:
    logits = jnp.asarray(np.random.default_rng(2).standard_normal((50, 9)), jnp.float32)
    kept = np.isfinite(cut(logits, SamplingOptions(top_k=3)))
    assert (kept.sum(axis=1) == 3).all()
    np.testing.assert_array_equal(np.where(kept, logits, -np.inf).argmax(axis=1), logits.argmax(axis=1))
    np.testing.assert_array_equal(choose(jax.random.key(0), logits, GREEDY), logits.argmax(axis=1))
    allowed = jnp.zeros((50, 9), bool).at[:, 4].set(True)
    assert (choose(jax.random.key(0), logits, SamplingOptions(), allowed) == 4).all()


def test_the_cut_comes_before_the_temperature() -> None:
    logits = jnp.log(jnp.array([[0.7, 0.2, 0.1]]))
    hot = SamplingOptions(temperature=100.0, top_p=0.65)
    draws = {int(choose(jax.random.key(seed), logits, hot)[0]) for seed in range(20)}
    assert draws == {0}  # after the temperature all three would be about equal and two would stay


@pytest.mark.parametrize(
    ("changes", "options", "told"),
    [
        ({"numbering": "terminal"}, {}, "positions from the end cannot be cached"),
        ({}, {"reset_fill": 4}, "reset_fill is 4, expected 1 to 3"),
        ({}, {"allowed": np.ones((1, 12), bool)}, "allowed speaks of 12 tokens, the model knows 11"),
        ({}, {"coordinates": np.ones((12, 2), int)}, "expected no coordinates"),
    ],
)
def test_settings_that_do_not_fit_are_told(changes: dict, options: dict, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Sampler(PerceiverAR(replace(SMALL, **changes), nnx.Rngs(0)), **options)


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ([], "prompt 0 has 0 tokens, expected 1 \\(SOS\\) to 12"),
        ([SOS] * 13, "prompt 0 has 13 tokens"),
        ([SOS, 11], "prompt 0 has ids from 2 to 11, expected 1 to 10"),
    ],
)
def test_prompts_that_do_not_fit_are_told(prompt: list[int], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Sampler(PerceiverAR(SMALL, nnx.Rngs(0))).start([prompt], 3)


@pytest.mark.parametrize("options", [{"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.2}, {"top_k": -1}])
def test_bad_sampling_options_are_told(options: dict) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        SamplingOptions(**options)
