from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError

from perceiver_ar.config import EOS, PAD, SOS, ModelConfig, SamplingOptions
from perceiver_ar.generation.decode import Sampler
from perceiver_ar.models.perceiver_ar import PerceiverAR

SMALL = ModelConfig(
    vocab_size=11, context_length=12, num_latents=4, depth=2, width=16, heads=2, rotary_fraction=0.5, chunk=5
)
PROMPTS = [[SOS, 5, 6], [SOS], [SOS, 3, 4, 5, 6, 7, 8]]
GREEDY = SamplingOptions(temperature=0.0)


@nnx.jit(static_argnames="num_latents")
def fresh(model, tokens, lengths, num_latents, coordinates=None):
    return model(tokens, lengths, coordinates, num_latents=num_latents)[:, -1]


@pytest.fixture(scope="module")
def sampler(stirred) -> Sampler:
    return Sampler(stirred(SMALL), SamplingOptions(top_k=6, top_p=0.9), reset_fill=2)


def test_generating_at_once_or_step_by_step(sampler: Sampler) -> None:
    key = jax.random.key(3)
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


def test_a_sequence_ends_at_its_stop(sampler: Sampler) -> None:
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


@pytest.mark.parametrize(
    ("total", "positions"),
    [
        (30, "absolute"),
        pytest.param(9, "both", marks=pytest.mark.slow),
        pytest.param(12, "both", marks=pytest.mark.slow),
        pytest.param(12, "absolute", marks=pytest.mark.slow),
        pytest.param(30, "both", marks=pytest.mark.slow),
    ],
)
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
    with pytest.raises(UsageError, match=f"{total} \\+ 1 tokens are more than the {total} that have coordinates"):
        sampler.step(state, jax.random.key(0))
    with pytest.raises(UsageError, match=f"7 \\+ {steps + 1} tokens are more than the {total} that have coordinates"):
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


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"numbering": "terminal"}, {}, "positions from the end cannot be cached"),
        ({}, {"reset_fill": 4}, "reset_fill is 4, expected 1 to 3"),
        ({}, {"allowed": np.ones((1, 12), bool)}, "allowed has 12 columns, expected vocab_size, 11"),
        ({}, {"coordinates": np.ones((12, 2), int)}, "expected no coordinates"),
    ],
)
def test_settings_that_do_not_fit_raise_errors(changes: dict, options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Sampler(PerceiverAR(replace(SMALL, **changes), nnx.Rngs(0)), **options)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ([], "prompt 0 has 0 tokens, expected 1 \\(SOS\\) to 12"),
        ([SOS] * 13, "prompt 0 has 13 tokens"),
        ([SOS, 11], "prompt 0 has ids from 2 to 11, expected 1 to 10"),
    ],
)
def test_prompts_that_do_not_fit_raise_errors(prompt: list[int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Sampler(PerceiverAR(SMALL, nnx.Rngs(0))).start([prompt], 3)
