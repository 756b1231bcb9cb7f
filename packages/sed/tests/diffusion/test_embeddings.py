"""Tables: norms, bits, nearest rows, and imports."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError

from sed.diffusion.embeddings import (
    bit_table,
    bits_to_tokens,
    import_table,
    nearest_tokens,
    normalize_rows,
    random_table,
    spread,
)


def test_norms() -> None:
    table = random_table(jax.random.key(0), 50, 8)
    np.testing.assert_allclose(jnp.square(table).sum(axis=1), 8, rtol=1e-5)
    np.testing.assert_allclose(normalize_rows(3 * table), table, rtol=1e-5)


@pytest.mark.parametrize("vocab_size", [2, 5, 2048, 32_000])
def test_bits(vocab_size: int) -> None:
    table = bit_table(vocab_size)
    bits = {2: 1, 5: 3, 2048: 11, 32_000: 15}[vocab_size]
    assert table.shape == (vocab_size, bits)
    np.testing.assert_array_equal(bits_to_tokens(0.3 * table, vocab_size), np.arange(vocab_size))


def test_bits_of_no_token_become_unknown() -> None:
    np.testing.assert_array_equal(bits_to_tokens(jnp.ones((1, 3)), 5, unknown=4), [4])


def test_nearest_row_is_the_one_of_least_distance() -> None:
    table = random_table(jax.random.key(0), 50, 8)
    x = jax.random.normal(jax.random.key(1), (30, 8))
    distances = jnp.square(x[:, None] - table).sum(axis=-1)
    np.testing.assert_array_equal(nearest_tokens(x, table), distances.argmin(axis=1))


def test_import_keeps_principal_components() -> None:
    generator = np.random.default_rng(0)
    plane = generator.standard_normal((40, 3)) @ generator.standard_normal((3, 10)) + 7
    found = import_table(plane + 1e-3 * generator.standard_normal(plane.shape), 3)
    assert found.shape == (40, 3)
    np.testing.assert_allclose(np.square(found).sum(axis=1), 3, rtol=1e-5)
    centred = plane - plane.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(found @ found.T / 3, centred @ centred.T, atol=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table[:, :2], "expected rows of at least 3"),
        (lambda table: np.where(np.arange(40)[:, None] == 7, np.nan, table), "tokens 7 are not finite"),
        (
            lambda table: np.where(np.arange(40)[:, None] == 7, table[np.arange(40) != 7].mean(axis=0), table),
            "tokens 7",
        ),
    ],
)
def test_import_refuses(change: object, message: str) -> None:
    table = np.random.default_rng(0).standard_normal((40, 5))
    with pytest.raises(UsageError, match=message):
        import_table(change(table), 3)  # type: ignore[operator]


def test_spread_is_the_mean_squared_distance_of_pairs() -> None:
    x = np.asarray(random_table(jax.random.key(0), 12, 4)).reshape(3, 4, 4)
    flat = x.reshape(12, 4)
    distances = np.square(flat[:, None] - flat).sum(axis=-1) / 8
    assert float(spread(x)) == pytest.approx(distances.mean(), rel=1e-5)
    assert float(spread(np.broadcast_to(flat[0], (5, 4)))) == pytest.approx(0, abs=1e-6)
