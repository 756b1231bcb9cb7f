r"""The bridge: the exact distribution of Y_s given Y_0 = x and Y_t = w for s < t.

With $\kappa_s, c_s$ for the time up to s and $\kappa', c'$ for the time from s to t,

$$\lambda = c_s + c' \kappa', \quad P = c_s^2 \kappa_s x / \lambda, \quad Q = c'^2 \kappa' w / \lambda,$$

$$Y_s \sim \mathrm{Gamma}(a + j + 2 i,\ \lambda), \quad j \sim \mathrm{Poisson}(P + Q),\
i \sim \mathrm{Bessel}(a - 1, 2 \sqrt{PQ}).$$

Drawing a token from its posterior and then this bridge reverses the process with no discretisation error.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, PRNGKeyArray

from simplex_cir.process.cir import cast_arguments, checked_arguments, route_of, scalar_or_broadcast
from simplex_cir.process.noncentral_gamma import noncentral_gamma_sample
from simplex_cir.random.variates import bessel_sample, gamma_sample, poisson_sample
from simplex_cir.special.bessel import bessel_ratio, bessel_remainder


def bridge_sample(
    key: PRNGKeyArray,
    start: ArrayLike,
    end: ArrayLike,
    a: ArrayLike,
    elapsed: ArrayLike,
    remaining: ArrayLike,
    *,
    shape: tuple[int, ...] | None = None,
) -> Float[Array, "..."]:
    """Exact draws of Y_s given Y_0 = start and Y_t = end.

    Args:
        start: x >= 0; where it is 0 the draw is Gamma(a + Poisson(Q)) / lambda, as for all wrong tokens.
        end: w >= 0.
        a: shape, above 0.
        elapsed: time from 0 to s times speed; 0 returns `start`.
        remaining: time from s to t times speed; 0 returns `end`, at inf the end has no influence.
        shape: shape of the draws, to which the arguments broadcast; by default their common shape.

    Raises:
        UsageError: a negative argument, a <= 0, or shapes that do not broadcast.
    """
    arguments = checked_arguments(shape, start=start, end=end, a=a, elapsed=elapsed, remaining=remaining)
    return _bridge_sample(key, *arguments)


@jax.jit
def _bridge_sample(key: PRNGKeyArray, start: Array, end: Array, a: Array, elapsed: Array, remaining: Array) -> Array:
    inside = (elapsed > 0) & (remaining > 0)
    spread, to_start, to_end = _counts(start, end, jnp.where(inside, elapsed, 1.0), jnp.where(inside, remaining, 1.0))
    poisson_key, bessel_key, gamma_key = jax.random.split(key, 3)
    counts = poisson_sample(poisson_key, to_start + to_end)
    counts = counts + 2 * bessel_sample(bessel_key, a - 1, 2 * jnp.sqrt(to_start) * jnp.sqrt(to_end))
    return _at_ends(spread * gamma_sample(gamma_key, a + counts), start, end, elapsed, remaining)


def bridge_from_zero_sample(
    key: PRNGKeyArray,
    end: ArrayLike,
    a: ArrayLike,
    elapsed: ArrayLike,
    remaining: ArrayLike,
    *,
    shape: tuple[int, ...] | None = None,
) -> Float[Array, "..."]:
    """`bridge_sample` for start = 0 at every element: Gamma(a + Poisson(Q)) / lambda, a non-central Gamma."""
    route = route_of(a)
    shape, arguments = cast_arguments(shape, end=end, a=a, elapsed=elapsed, remaining=remaining)
    return _bridge_from_zero_sample(key, *arguments, shape=shape, route=route)


@partial(jax.jit, static_argnames=("shape", "route"))
def _bridge_from_zero_sample(
    key: PRNGKeyArray, end: Array, a: Array, elapsed: Array, remaining: Array, *, shape: tuple[int, ...], route: str
) -> Array:
    end, a, elapsed, remaining = (scalar_or_broadcast(shape, x) for x in (end, a, elapsed, remaining))
    inside = (elapsed > 0) & (remaining > 0)
    start = jnp.zeros_like(end)
    spread, _, to_end = _counts(start, end, jnp.where(inside, elapsed, 1.0), jnp.where(inside, remaining, 1.0))
    value = noncentral_gamma_sample(key, a, spread * to_end, spread, shape=shape, route=route)
    return _at_ends(value, start, end, elapsed, remaining)


def bridge_log_prob(
    value: ArrayLike, start: ArrayLike, end: ArrayLike, a: ArrayLike, elapsed: ArrayLike, remaining: ArrayLike
) -> Float[Array, "..."]:
    r"""Log density at `value`, from $f_s(u|x) f_{t-s}(w|u) / f_t(w|x)$ with the exponents combined into one square:

    $$\log f(u) = \log \lambda - \left(\sqrt{\lambda u} - \sqrt P - \sqrt Q\right)^2 + (a - 1) \log(\lambda u)
    + \ell(\lambda u P) + \ell(\lambda u Q) - \ell(P Q),$$

    with $\ell(q) = \log \frac{{}_0F_1(; a; q)}{\Gamma(a)} - 2 \sqrt q$.

    -inf below 0; where a time is 0, the density of a point mass. Arguments as for `bridge_sample`.
    """
    return _bridge_log_prob(
        *checked_arguments(None, value=value, start=start, end=end, a=a, elapsed=elapsed, remaining=remaining)
    )


@jax.jit
def _bridge_log_prob(value: Array, start: Array, end: Array, a: Array, elapsed: Array, remaining: Array) -> Array:
    inside = (elapsed > 0) & (remaining > 0)
    spread, to_start, to_end = _counts(start, end, jnp.where(inside, elapsed, 1.0), jnp.where(inside, remaining, 1.0))
    scaled = jnp.where(value < 0, 0.0, value) / spread
    square = (jnp.sqrt(scaled) - jnp.sqrt(to_start) - jnp.sqrt(to_end)) ** 2
    power = jnp.where(a == 1, 0.0, (a - 1) * jnp.log(jnp.where(a == 1, 1.0, scaled)))
    evidence = _scaled_0f1(a, scaled, to_start) + _scaled_0f1(a, scaled, to_end) - _scaled_0f1(a, to_start, to_end)
    log_prob = jnp.where(value < 0, -jnp.inf, power - square + evidence - jnp.log(spread))
    point = _at_ends(start, start, end, elapsed, remaining)
    return jnp.where(inside, log_prob, jnp.where(value == point, jnp.inf, -jnp.inf))


def bridge_mean(
    start: ArrayLike, end: ArrayLike, a: ArrayLike, elapsed: ArrayLike, remaining: ArrayLike
) -> Float[Array, "..."]:
    r"""$E[Y_s | x, w] = (a + P + Q + 2 \sqrt{PQ}\, R_{a-1}(2 \sqrt{PQ})) / \lambda$."""
    return _bridge_mean(*checked_arguments(None, start=start, end=end, a=a, elapsed=elapsed, remaining=remaining))


@jax.jit
def _bridge_mean(start: Array, end: Array, a: Array, elapsed: Array, remaining: Array) -> Array:
    inside = (elapsed > 0) & (remaining > 0)
    spread, to_start, to_end = _counts(start, end, jnp.where(inside, elapsed, 1.0), jnp.where(inside, remaining, 1.0))
    geometric = jnp.sqrt(to_start) * jnp.sqrt(to_end)
    mean = spread * (a + to_start + to_end + 2 * geometric * bessel_ratio(a - 1, 2 * geometric))
    return _at_ends(mean, start, end, elapsed, remaining)


def _counts(start: Array, end: Array, elapsed: Array, remaining: Array) -> tuple[Array, Array, Array]:
    """1 / lambda, P and Q. With n = 1 - kappa: 1 / lambda = n_s n' / (n' + n_s kappa')."""
    noise, noise_after = -jnp.expm1(-elapsed), -jnp.expm1(-remaining)
    kappa, kappa_after = jnp.exp(-elapsed), jnp.exp(-remaining)
    total = noise_after + noise * kappa_after
    return (
        noise * noise_after / total,
        start * kappa * noise_after / (noise * total),
        end * kappa_after * noise / (noise_after * total),
    )


def _scaled_0f1(a: Array, first: Array, second: Array) -> Array:
    """log 0F1(; a; q) - log Gamma(a) - 2 sqrt(q) at q = first * second."""
    z = 2 * jnp.sqrt(first) * jnp.sqrt(second)
    beta = jnp.where(a >= 1, a - 1, 0.0)
    w = jnp.sqrt(beta**2 + z**2)
    positive = beta + w > 0
    leading = beta**2 / jnp.where(positive, w + z, 1.0) - beta * jnp.log(jnp.where(positive, beta + w, 2.0) / 2)
    return bessel_remainder(a, z) + leading


def _at_ends(value: Array, start: Array, end: Array, elapsed: Array, remaining: Array) -> Array:
    return jnp.where(elapsed == 0, start, jnp.where(remaining == 0, end, value))
