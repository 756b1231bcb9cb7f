r"""Discretisations of the canonical process, for comparison with its exact transition (paper, section 2.3).

A scheme is one function `(key, y, a, h) -> y'` over an elapsed time h; `simulate` runs any of them along a grid. With
$y^+ = \max(y, 0)$ and a standard normal $\xi$, $dY = (a - Y)\, dt + \sqrt{2Y}\, dW$.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, PRNGKeyArray
from onepaper.config import check_choice

from simplex_cir.process.cir import (
    checked_arguments,
    time_steps,
    transition_mean,
    transition_sample,
    transition_variance,
)

Scheme = Callable[[PRNGKeyArray, Array, Array, Array], Array]


def exact(key: PRNGKeyArray, y: Array, a: Array, h: Array) -> Array:
    """The exact transition: unbiased for any h."""
    return transition_sample(key, y, a, h)


def euler_plain(key: PRNGKeyArray, y: Array, a: Array, h: Array) -> Array:
    r"""$y + (a - y) h + \sqrt{2 y h}\, \xi$ without a floor: NaN from the step after the first negative value."""
    return y + (a - y) * h + jnp.sqrt(2 * y * h) * _normal(key, y)


def euler_floored(key: PRNGKeyArray, y: Array, a: Array, h: Array, *, eps: float = 1e-3) -> Array:
    r"""A floor inside the root (paper, section 2.3): $y + (a - y) h + \sqrt{2 (y^+ + \epsilon) h}\, \xi$, of bias
    O(eps)."""
    return y + (a - y) * h + jnp.sqrt(2 * (jnp.maximum(y, 0.0) + eps) * h) * _normal(key, y)


def euler_truncated(key: PRNGKeyArray, y: Array, a: Array, h: Array) -> Array:
    """Full truncation: drift and noise at y+, the state may become negative, so max(y, 0) is to be used."""
    positive = jnp.maximum(y, 0.0)
    return y + (a - positive) * h + jnp.sqrt(2 * positive * h) * _normal(key, y)


def euler_reflected(key: PRNGKeyArray, y: Array, a: Array, h: Array) -> Array:
    """Reflection: the absolute value of an Euler step."""
    return jnp.abs(euler_truncated(key, y, a, h))


def milstein(key: PRNGKeyArray, y: Array, a: Array, h: Array) -> Array:
    r"""Euler with the next term of the noise, $\frac h2 (\xi^2 - 1)$, truncated as `euler_truncated`.

    From y >= 0 the step is $(\sqrt{y} + \sqrt{h/2}\,\xi)^2 + (a - \frac12 - y) h$; strong order 1 away from 0.
    """
    positive = jnp.maximum(y, 0.0)
    xi = _normal(key, y)
    return y + (a - positive) * h + jnp.sqrt(2 * positive * h) * xi + 0.5 * h * (xi**2 - 1)


def log_euler(key: PRNGKeyArray, y: Array, a: Array, h: Array) -> Array:
    r"""Euler for $u = \log y$, $du = (\frac{a-1}{y} - 1) dt + \sqrt{2/y}\, dW$: positive, but stiff near 0."""
    return y * jnp.exp(((a - 1) / y - 1) * h + jnp.sqrt(2 * h / y) * _normal(key, y))


def implicit_root(key: PRNGKeyArray, y: Array, a: Array, h: Array, *, added_drift: ArrayLike = 0.0) -> Array:
    r"""Implicit Euler for $u = \sqrt y$ (Alfonsi 2005): the positive root of

    $(1 + \frac h2) u'^2 - B u' - (a - \frac12) \frac h2 = 0$, $B = u + \frac{d}{2u} h + \sqrt{h/2}\, \xi$. Needs
    a >= 1/2, NaN below. An added drift d of y is taken at the start of the step, all else at its end.
    """
    root = jnp.sqrt(y)
    pull = jnp.where(y > 0, added_drift / jnp.where(y > 0, 2 * root, 1), 0)
    b = root + pull * h + jnp.sqrt(h / 2) * _normal(key, y)
    return ((b + jnp.sqrt(b**2 + 2 * (1 + h / 2) * (a - 0.5) * h)) / (2 * (1 + h / 2))) ** 2


def quadratic_exponential(key: PRNGKeyArray, y: Array, a: Array, h: Array) -> Array:
    r"""A distribution with the two exact moments (Andersen 2008): with $\psi$ = variance / mean^2, a squared Gaussian
    for $\psi \le 1.5$, above it a point mass at 0 and an exponential."""
    mean, variance = transition_mean(y, a, h), transition_variance(y, a, h)
    psi = variance / mean**2
    gaussian = psi <= 1.5
    normal_key, uniform_key = jax.random.split(key)
    ratio = 2 / jnp.where(gaussian, psi, 1.0)
    b_squared = ratio - 1 + jnp.sqrt(ratio) * jnp.sqrt(ratio - 1)
    quadratic = mean / (1 + b_squared) * (jnp.sqrt(b_squared) + _normal(normal_key, y)) ** 2
    at_zero = jnp.where(gaussian, 0.0, (psi - 1) / (psi + 1))
    # U in [0, 1): beyond the point mass, the quantile of the exponential part.
    uniform = jax.random.uniform(uniform_key, y.shape, y.dtype)
    tail = mean / (1 - at_zero) * (jnp.log1p(-at_zero) - jnp.log1p(-uniform))
    return jnp.where(gaussian, quadratic, jnp.where(uniform <= at_zero, 0.0, tail))


SCHEMES: dict[str, Scheme] = {
    "exact": exact,
    "euler-plain": euler_plain,
    "euler-floored": euler_floored,
    "euler-truncated": euler_truncated,
    "euler-reflected": euler_reflected,
    "milstein": milstein,
    "log-euler": log_euler,
    "implicit-root": implicit_root,
    "quadratic-exponential": quadratic_exponential,
}


def simulate(
    key: PRNGKeyArray, start: ArrayLike, a: ArrayLike, grid: Float[ArrayLike, " times"], scheme: str | Scheme = "exact"
) -> Float[Array, "times ..."]:
    """A path of `scheme` at the times of the increasing `grid`, the first of which belongs to `start`.

    Args:
        start: values >= 0 at grid[0].
        a: shape, above 0, broadcast with start.
        grid: times multiplied by the speed.
        scheme: a name of `SCHEMES` or a function of that form, such as `partial(euler_floored, eps=1e-4)`.

    Raises:
        UsageError: an unknown scheme, a negative start, a <= 0, a grid that does not increase.
    """
    if isinstance(scheme, str):
        check_choice("scheme", scheme, SCHEMES)
        scheme = SCHEMES[scheme]
    start, a = checked_arguments(None, start=start, a=a)
    steps = time_steps(grid).astype(start.dtype)
    step = partial(_advance, scheme, a)
    _, path = jax.lax.scan(step, start, (jax.random.split(key, len(steps)), steps))
    return jnp.concatenate([start[None], path])


def _advance(scheme: Scheme, a: Array, y: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
    following = scheme(inputs[0], y, a, inputs[1])
    return following, following


def _normal(key: PRNGKeyArray, like: Array) -> Array:
    return jax.random.normal(key, like.shape, like.dtype)
