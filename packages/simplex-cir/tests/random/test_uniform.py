"""Uniform numbers are those of JAX; logarithms and circles against NumPy; distributions of exponentials and normals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from simplex_cir.random.uniform import exponential, log_positive, normal_pair, uniforms, unit_circle


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_bits_are_those_of_jax(impl: str) -> None:
    """Threefry's rounds written out give the same numbers as JAX; other keys call JAX."""
    key = jax.random.key(3, impl=impl)
    rows = uniforms(key, 3, (5, 7), jnp.dtype("float32"))
    expected = jax.random.bits(key, (3, 5, 7)).astype(jnp.float32) * 2.0**-32 + 2.0**-33
    np.testing.assert_array_equal(jnp.stack(rows), expected)
    assert float(jnp.stack(rows).min()) > 0


def test_keys_without_a_type() -> None:
    raw, typed = jax.random.PRNGKey(5), jax.random.key(5)
    for dtype in ("float32", "float64"):
        with jax.enable_x64(dtype == "float64"):
            first, second = (uniforms(key, 1, (8,), jnp.dtype(dtype))[0] for key in (raw, typed))
            assert first.dtype == dtype
            np.testing.assert_array_equal(first, second)


def test_log_of_positive_numbers() -> None:
    """Within 2 ulp of the result, close to 1 too."""
    generator = np.random.default_rng(0)
    x = np.concatenate([np.exp(generator.uniform(-700, 700, 20_000)), generator.uniform(0, 2, 20_000)])
    x = np.concatenate([x, 1 + generator.normal(size=2000) * 1e-9, [1.0, 0.5, 2.0**-54, np.sqrt(0.5)]])
    with jax.enable_x64(True):
        got = np.asarray(log_positive(jnp.asarray(x)))
    np.testing.assert_array_less(np.abs(got - np.log(x)), 2 * np.spacing(np.abs(np.log(x))) + 1e-300)


def test_trigonometry() -> None:
    with jax.enable_x64(True):
        u = jnp.linspace(0, 1, 1001)
        cosine, sine = unit_circle(u)
        np.testing.assert_allclose(cosine, np.cos(2 * np.pi * np.asarray(u)), atol=1e-15)
        np.testing.assert_allclose(sine, np.sin(2 * np.pi * np.asarray(u)), atol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distributions(dtype: str) -> None:
    with jax.enable_x64(dtype == "float64"):
        rows = uniforms(jax.random.key(1), 3, (50_000,), jnp.dtype(dtype))
        first, second = (np.asarray(x, float) for x in normal_pair(*rows[:2]))
        energy = np.asarray(exponential(rows[2]), float)
    p_values = [stats.kstest(x, law).pvalue for x, law in ((first, "norm"), (second, "norm"), (energy, "expon"))]
    p_values += [stats.spearmanr(first, second).pvalue, stats.spearmanr(first**2, second**2).pvalue]
    assert min(p_values) * len(p_values) > 1e-3
