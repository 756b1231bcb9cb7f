"""The table of codes is that of the published audio."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onepaper.errors import UsageError

from slowae_rlt.data.mu_law import TABLE, decode_mu_law, encode_mu_law, mu_law_symbols

CODES = np.arange(-128, 128)


def test_table_as_16_bit_integers() -> None:
    """256 values, of which 127 are positive; extremes are 32063, the smallest are 8 and -2."""
    integers = np.trunc(32768 * decode_mu_law(CODES)).astype(int)
    assert len(np.unique(integers)) == 256
    assert (integers.min(), integers.max()) == (-32063, 32063)
    assert integers[integers > 0].min() == 8
    assert integers[integers < 0].max() == -2
    assert (integers > 0).sum() == 127


def test_codes_come_back() -> None:
    np.testing.assert_array_equal(encode_mu_law(decode_mu_law(CODES)), CODES)
    # y and -1 - y are opposite but for the pair of 0 and -1.
    np.testing.assert_allclose(TABLE[129:], -TABLE[126::-1])
    assert TABLE[128] == 0


def test_edges() -> None:
    edge = (256 ** (1 / 128) - 1) / 255
    found = encode_mu_law(np.array([0.0, edge * 0.999, edge * 1.001, -edge * 0.999, -edge * 1.001, 1.0, -1.0, 2.0]))
    assert found.tolist() == [0, 0, 1, -1, -2, 127, -128, 127]


@given(st.floats(-1, 1))
def test_error_is_relative(value: float) -> None:
    error = abs(float(decode_mu_law(encode_mu_law(np.array([value])))[0]) - value)
    assert error <= 0.025 * abs(value) + 2e-4


def test_refused() -> None:
    with pytest.raises(UsageError, match="sample 1 is not finite"):
        encode_mu_law(np.array([0.0, np.nan]))
    with pytest.raises(UsageError, match="expected -128 to 127"):
        decode_mu_law(np.array([128]))


def test_symbols_in_jax_are_the_codes() -> None:
    samples = np.concatenate([TABLE, np.random.default_rng(0).uniform(-1, 1, 5000), [-1.0, 1.0, 0.0]])
    found = mu_law_symbols(jnp.asarray(samples.astype(np.float32)))
    np.testing.assert_array_equal(found, encode_mu_law(samples.astype(np.float32)) + 128)
