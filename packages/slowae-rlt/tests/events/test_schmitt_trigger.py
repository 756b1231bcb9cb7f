"""All forms give the same integers, and these are those of the definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onepaper.errors import UsageError

from slowae_rlt.events.schmitt_trigger import quantize, quantize_by_scan, quantize_in_parallel, straight_through


def definition(z: np.ndarray, k: int, m: float) -> np.ndarray:
    """One channel after the other, in Python integers and float32 products."""
    found = np.zeros(z.shape, int)
    for channel in range(z.shape[1]):
        state: int | None = None
        for step in range(len(z)):
            u = float(np.float32(k) * np.float32(z[step, channel]))
            if state is None or abs(u - state) > m:
                state = max(-k, min(k, round(u)))  # Python rounds ties to even
            found[step, channel] = state
    return found


def walk(seed: int, steps: int = 400, k: int = 7) -> np.ndarray:
    """A random walk beyond the highest level, with exact ties."""
    generator = np.random.default_rng(seed)
    z = np.cumsum(generator.normal(size=(steps, 3)) * 0.1, axis=0) - 0.2
    z[::3] = np.round(2 * k * z[::3]) / (2 * k)
    return np.clip(z, -1.4, 1.4).astype(np.float32)


@pytest.mark.parametrize("margin", [0.5, 0.75, 1.0, 1.25])
@pytest.mark.parametrize("k", [1, 4, 7])
def test_all_forms_agree(k: int, margin: float) -> None:
    z = walk(k, k=k)
    expected = definition(z, k, margin)
    np.testing.assert_array_equal(quantize(z, k, margin).levels, expected)
    batch = jnp.asarray(np.stack([z, z[::-1]]))
    for form in (quantize_by_scan, quantize_in_parallel):
        found = np.asarray(jax.jit(form, static_argnums=(1, 2))(batch, k, margin))
        np.testing.assert_array_equal(found[0], expected)
        np.testing.assert_array_equal(found[1], definition(z[::-1], k, margin))


@given(st.lists(st.integers(1, 60), min_size=1, max_size=12), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_streaming_in_parts(sizes: list[int], seed: int) -> None:
    z = walk(seed, sum(sizes))
    state, parts = None, []
    for part in np.split(z, np.cumsum(sizes)[:-1]):
        levels, state = quantize(part, 7, 1.0, state)
        parts.append(levels)
    np.testing.assert_array_equal(np.concatenate(parts), quantize(z, 7, 1.0).levels)


def test_unequal_lengths_in_one_batch() -> None:
    """What follows after the end of a signal does not change its levels."""
    z = walk(5, 300)
    padded = np.concatenate([z[:170], np.zeros((130, 3), np.float32)])
    found = np.asarray(quantize_by_scan(jnp.asarray(np.stack([z, padded])), 7, 1.0))
    np.testing.assert_array_equal(found[1, :170], quantize(z[:170], 7, 1.0).levels)


def test_error_is_at_most_the_margin() -> None:
    z = walk(2).clip(-1, 1)
    for margin in (0.5, 1.0):
        assert np.abs(7 * z - quantize(z, 7, margin).levels).max() <= margin + 1e-6


def test_a_sine_crosses_each_level() -> None:
    """Rounding gives 4 floor(A + 1/2) changes a period."""
    amplitude = 4.3
    phase = np.linspace(0, 2 * np.pi * 5, 50_001)[:-1] + 0.01
    z = (amplitude / 7 * np.sin(phase))[:, None].astype(np.float32)
    changes = np.count_nonzero(np.diff(quantize(z, 7, 0.5).levels[:, 0]))
    assert changes == pytest.approx(5 * 4 * 4, abs=2)


@given(st.lists(st.integers(1, 5), min_size=100, max_size=100))
@settings(max_examples=30, deadline=None)
def test_a_slower_signal_has_the_same_events(repeats: list[int]) -> None:
    """Hysteresis is in levels and not in time: where each value stays for longer, there are no other changes."""
    z = walk(4, 100)
    slower = quantize(np.repeat(z, repeats, axis=0), 7, 1.0).levels
    np.testing.assert_array_equal(slower, np.repeat(quantize(z, 7, 1.0).levels, repeats, axis=0))


def test_highest_level_needs_an_overshoot() -> None:
    """With a margin of one level a slow ramp to 1 stays one below the highest level; beyond 1 it reaches it."""
    ramp = np.linspace(0, 1, 1000, dtype=np.float32)[:, None]
    assert quantize(ramp, 7, 1.0).levels.max() == 6
    assert quantize(1.1 * ramp, 7, 1.0).levels.max() == 7


def test_gradient_goes_straight_through() -> None:
    z = jnp.asarray(walk(3, 50))
    w = jnp.asarray(np.random.default_rng(0).standard_normal(z.shape), jnp.float32)
    gradient = jax.grad(lambda z: (w * straight_through(z, 7, 1.0)).sum())(z)
    np.testing.assert_array_equal(gradient, w)


def test_wrong_arguments() -> None:
    z = np.zeros((3, 1), np.float32)
    for margin in (0.4, 1.5, float("nan")):
        with pytest.raises(UsageError, match="expected at least 0.5"):
            quantize(z, 7, margin)
    with pytest.raises(UsageError, match="levels is 0"):
        quantize(z, 0, 1.0)
    z[1] = np.nan
    with pytest.raises(UsageError, match="not finite at step 1"):
        quantize(z, 7, 1.0)
