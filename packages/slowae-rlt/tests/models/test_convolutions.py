"""Convolutions against those of scipy, and the same values wherever a window begins."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.signal import correlate

from slowae_rlt.models.convolutions import Convolution, ResidualStack

X = np.random.default_rng(0).standard_normal((2, 60, 3)).astype(np.float32)


@pytest.mark.parametrize(("taps", "stride", "dilation"), [(4, 2, 1), (3, 1, 4), (6, 3, 1)])
def test_against_scipy(taps: int, stride: int, dilation: int) -> None:
    layer = Convolution(3, 5, taps, nnx.Rngs(0), stride=stride, dilation=dilation)
    found = np.asarray(layer(jnp.asarray(X)))
    kernel = np.zeros(((taps - 1) * dilation + 1, 3, 5), np.float32)
    kernel[::dilation] = np.asarray(layer.linear.kernel[...]).reshape(taps, 3, 5)
    for output in range(5):
        expected = correlate(X[1], kernel[:, :, output], mode="valid")[::stride, 0]
        np.testing.assert_allclose(found[1, :, output], expected, rtol=1e-4, atol=1e-5)
    length = layer.input_length(4)
    assert layer(jnp.asarray(X[:, :length])).shape[1] == 4
    assert layer(jnp.asarray(X[:, : length - 1])).shape[1] == 3


def test_stack_does_not_depend_on_the_window() -> None:
    stack = ResidualStack(3, (1, 2, 4), nnx.Rngs(0))
    whole = stack(jnp.asarray(X))
    assert stack.context == 7
    assert whole.shape == (2, 60 - 14, 3)
    np.testing.assert_allclose(stack(jnp.asarray(X[:, 11:40])), whole[:, 11:26], rtol=1e-5, atol=1e-6)
