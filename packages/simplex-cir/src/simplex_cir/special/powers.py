r"""$\nu \log x$ and $\nu / x$, which vanish at $\nu = 0$ for every x, with their derivatives there.

A density $x^{a-1} \dots$ is regular at x = 0 only for a = 1, which is the default shape. Selecting 0 for that shape
loses the derivative in the shape, $\log x$; these functions keep it, at any order.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Float


@jax.custom_jvp
def log_power(nu: Float[Array, "..."], x: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$\nu \log x$ for x >= 0, 0 where nu = 0. The derivative in nu is $\log x$, -inf at x = 0."""
    return jnp.where(nu == 0, 0.0, nu * jnp.log(jnp.where(nu == 0, 1.0, x)))


def _log_power_jvp(primals: tuple[Array, Array], tangents: tuple[Any, Any]) -> tuple[Array, Array]:
    nu, x = primals
    value = log_power(nu, x)
    return value, weighted_sum(value, (jnp.log, (x,), tangents[0]), (quotient, (nu, x), tangents[1]))


log_power.defjvp(_log_power_jvp, symbolic_zeros=True)


@jax.custom_jvp
def quotient(nu: Float[Array, "..."], x: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$\nu / x$ for x >= 0, 0 where nu = 0. The derivative in nu is 1 / x, inf at x = 0."""
    return jnp.where(nu == 0, 0.0, nu / jnp.where(nu == 0, 1.0, x))


def _quotient_jvp(primals: tuple[Array, Array], tangents: tuple[Any, Any]) -> tuple[Array, Array]:
    nu, x = primals
    value = quotient(nu, x)
    in_x = (lambda nu, x: -quotient(quotient(nu, x), x), (nu, x), tangents[1])
    return value, weighted_sum(value, (lambda x: 1 / x, (x,), tangents[0]), in_x)


quotient.defjvp(_quotient_jvp, symbolic_zeros=True)


def weighted_sum(like: Array, *terms: tuple[Any, tuple[Array, ...], Any]) -> Array:
    """The sum of `slope(*arguments) * tangent` over terms (slope, arguments, tangent), for rules with symbolic zeros.

    A slope whose tangent is zero is not computed: it may be infinite, and it costs time.
    """
    total = jnp.zeros_like(like)
    for slope, arguments, tangent in terms:
        if not is_zero(tangent):
            total = total + slope(*arguments) * tangent
    return total


def is_zero(tangent: object) -> bool:
    """Whether a tangent is known to be zero, in a rule with `symbolic_zeros=True`."""
    return type(tangent) is SymbolicZero
