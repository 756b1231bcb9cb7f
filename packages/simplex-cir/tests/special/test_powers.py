import jax
import jax.numpy as jnp
import numpy as np

from simplex_cir.special.powers import log_power, quotient


def test_derivatives_at_exponent_zero() -> None:
    for x in (0.3, 4.0):
        assert jax.grad(log_power)(0.0, x) == np.log(np.float32(x))
        assert jax.grad(log_power, 1)(0.0, x) == 0
        assert jax.grad(jax.grad(log_power, 1))(0.0, x) == np.float32(1 / x)
        np.testing.assert_allclose(jax.grad(jax.grad(quotient, 1), 1)(2.0, x), 4 / x**3, rtol=1e-6)


def test_values_and_slopes_at_zero() -> None:
    """The power of 0 with exponent 0 is 1, and has no slope; only a slope in the exponent is infinite."""
    assert log_power(jnp.zeros(()), jnp.zeros(())) == 0
    assert quotient(jnp.zeros(()), jnp.zeros(())) == 0
    assert jax.jvp(lambda x: log_power(jnp.zeros(()), x), (0.0,), (1.0,))[1] == 0
    assert jax.grad(log_power)(0.0, 0.0) == -jnp.inf
