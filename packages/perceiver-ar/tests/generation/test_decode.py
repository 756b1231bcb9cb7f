from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError

from perceiver_ar.config import EOS, PAD, RESERVED, SOS, ModelConfig, SamplingOptions
from perceiver_ar.generation.decode import Sampler
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.pretrained.checkpoints import open_network

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
    state, steps = sampler.start(PROMPTS), []
    for _ in range(17):
        state, token = sampler.step(state, key)
        steps.append(np.asarray(token))
    np.testing.assert_array_equal(at_once, np.stack(steps, axis=1))
    np.testing.assert_array_equal(at_once, np.array(sampler.generate(PROMPTS, 17, key)))
    assert (at_once != np.array(sampler.generate(PROMPTS, 17, jax.random.key(4)))).any()
    assert not np.isin(at_once, (PAD, SOS)).any()


def test_asking_for_more_changes_no_earlier_token(sampler: Sampler) -> None:
    (longest,) = sampler.generate([PROMPTS[2]], 30, jax.random.key(5))
    for count in (0, 1, 3, 5, 6, 13):
        np.testing.assert_array_equal(sampler.generate([PROMPTS[2]], count, jax.random.key(5))[0], longest[:count])


def test_each_of_unequal_prompts_is_sampled_as_if_alone(sampler: Sampler) -> None:
    """Shorter than N, as long as N, longer, and filling the context; also past the end of the window."""
    prompts = [*PROMPTS, [SOS, 3, 4, 5], [SOS, *[6] * 11]]
    key = jax.random.key(7)
    together = sampler.generate(prompts, 20, key)
    np.testing.assert_array_equal(np.array(together)[::-1], np.array(sampler.generate(prompts[::-1], 20, key)))
    for prompt, got in zip(prompts, together, strict=True):
        np.testing.assert_array_equal(got, sampler.generate([prompt], 20, key)[0])
    state = sampler.start(prompts)
    alone = [sampler.start([prompt]) for prompt in prompts]
    for _ in range(9):
        for row, one in enumerate(alone):
            np.testing.assert_allclose(state.logits[row], one.logits[0], rtol=0, atol=1e-5)
        state = sampler.step(state, key)[0]
        alone = [sampler.step(one, key)[0] for one in alone]


def test_equal_prompts_are_sampled_differently(sampler: Sampler) -> None:
    """The first as if it were alone, each of the others with random numbers of its own."""
    got = sampler.generate([PROMPTS[0]] * 3 + [PROMPTS[2]], 12, jax.random.key(2))
    assert len({tuple(row.tolist()) for row in got[:3]}) == 3
    np.testing.assert_array_equal(got[0], sampler.generate([PROMPTS[0]], 12, jax.random.key(2))[0])


@pytest.mark.parametrize("asked", [1, 31, 40, 100])
def test_the_shipped_copy_network_mirrors_however_much_is_asked_for(asked: int) -> None:
    """M=64, N=16: SOS and 31 symbols, then their mirror image up to the last input of the context."""
    sampler = Sampler(open_network("copy").model, GREEDY)
    halves = np.random.default_rng(1).integers(RESERVED, 19, (10, 31))
    for known in (31, 50, 59):  # symbols of the prompt
        whole = np.concatenate([halves, halves[:, ::-1]], axis=1)
        prompts = np.concatenate([np.full((10, 1), SOS), whole[:, :known]], axis=1)
        drawn = np.array(sampler.generate(prompts.tolist(), asked, jax.random.key(0)))
        count = min(asked, 62 - known)
        np.testing.assert_array_equal(drawn[:, :count], whole[:, known : known + count])


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
        for row, latents in enumerate(state.latents.tolist()):
            wanted = fresh(model, state.tokens, state.lengths, latents, jnp.asarray(at))[row]
            np.testing.assert_allclose(state.logits[row], wanted, rtol=0, atol=1e-4)
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
        ([SOS, PAD, 3], "prompt 0 has ids from 0 to 3, expected 1 to 10"),
        ([SOS, 3.5], "prompt 0 is float64 of shape \\(2,\\), expected integers"),
    ],
)
def test_prompts_that_do_not_fit_raise_errors(prompt: list[int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Sampler(PerceiverAR(SMALL, nnx.Rngs(0))).start([prompt], 3)


def test_a_batch_needs_prompts_and_tokens(sampler: Sampler) -> None:
    with pytest.raises(UsageError, match="there are no prompts"):
        sampler.generate([], 3, jax.random.key(0))
    with pytest.raises(UsageError, match="new_tokens is -1"):
        sampler.generate(PROMPTS, -1, jax.random.key(0))
