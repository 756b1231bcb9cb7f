r"""The bridge: the exact distribution of Y_s given Y_0 = x and Y_t = w for s < t.

With $\kappa_s, c_s$ for the time up to s and $\kappa', c'$ for the time from s to t,

$$\lambda = c_s + c' \kappa', \quad P = c_s^2 \kappa_s x / \lambda, \quad Q = c'^2 \kappa' w / \lambda,$$

$$Y_s \sim \mathrm{Gamma}(a + j + 2 i,\; \lambda), \quad j \sim \mathrm{Poisson}(P + Q),\;
i \sim \mathrm{Bessel}(a - 1, 2 \sqrt{PQ}).$$

Drawing a token from its posterior and then this bridge reverses the process with no discretisation error.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import digamma
from jax.typing import ArrayLike
from jaxtyping import Float, PRNGKeyArray

from simplex_cir.process.cir import cast_arguments, checked_arguments, route_of, scalar_or_broadcast
from simplex_cir.process.noncentral_gamma import noncentral_gamma_sample
from simplex_cir.random.variates import bessel_sample, gamma_sample, poisson_sample
from simplex_cir.special.bessel import bessel_remainder, log_0f1, log_0f1_slope
from simplex_cir.special.powers import log_power, quotient, weighted_sum


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
        UsageError: a negative argument, a <= 0, or shapes that do not broadcast; where draws are differentiated, as
            they use random counts (those of `bridge_from_zero_sample` can be).
    """
    shape, arguments = cast_arguments(shape, start=start, end=end, a=a, elapsed=elapsed, remaining=remaining)
    return _bridge_sample(key, *arguments, shape=shape)


@partial(jax.jit, static_argnames="shape")
def _bridge_sample(
    key: PRNGKeyArray,
    start: Array,
    end: Array,
    a: Array,
    elapsed: Array,
    remaining: Array,
    *,
    shape: tuple[int, ...],
) -> Array:
    start, end, a, elapsed, remaining = (
        jnp.broadcast_to(array, shape) for array in (start, end, a, elapsed, remaining)
    )
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
    # Broadcast here: XLA's simplifier moves broadcasts within the density in circles and says so.
    return _bridge_log_prob(
        *checked_arguments(None, value=value, start=start, end=end, a=a, elapsed=elapsed, remaining=remaining)
    )


@jax.jit
def _bridge_log_prob(value: Array, start: Array, end: Array, a: Array, elapsed: Array, remaining: Array) -> Array:
    inside = (elapsed > 0) & (remaining > 0)
    spread, to_start, to_end = _counts(start, end, jnp.where(inside, elapsed, 1.0), jnp.where(inside, remaining, 1.0))
    scaled = jnp.where(value < 0, 1.0, value) / spread
    log_prob = _scaled_log_prob(scaled, a, to_start, to_end) - jnp.log(spread)
    log_prob = jnp.where(value < 0, -jnp.inf, log_prob)
    point = _at_ends(start, start, end, elapsed, remaining)
    return jnp.where(inside, log_prob, jnp.where(value == point, jnp.inf, -jnp.inf))


@jax.custom_jvp
def _scaled_log_prob(scaled: Array, a: Array, to_start: Array, to_end: Array) -> Array:
    """Log density of lambda u at `scaled`."""
    square = (jnp.sqrt(scaled) - jnp.sqrt(to_start) - jnp.sqrt(to_end)) ** 2
    evidence = _scaled_0f1(a, scaled, to_start) + _scaled_0f1(a, scaled, to_end) - _scaled_0f1(a, to_start, to_end)
    return log_power(a - 1, scaled) - square + evidence


def _scaled_log_prob_jvp(primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    """By the slopes of log 0F1: unlike the roots of the completed square they are differentiable where x or w is 0."""
    scaled, a, to_start, to_end = primals
    value = _scaled_log_prob(*primals)
    # Together, so that the expansion is compiled once.
    products, shapes = jnp.stack([scaled * to_start, scaled * to_end, to_start * to_end]), jnp.stack([a, a, a])
    by_start, by_end, by_both = log_0f1_slope(shapes, products)

    def in_shape() -> Array:
        _, slopes = jax.jvp(lambda shape: log_0f1(shape, products), (shapes,), (jnp.ones_like(shapes),))
        return jnp.log(scaled) - digamma(a) + slopes[0] + slopes[1] - slopes[2]

    return value, weighted_sum(
        value,
        (lambda: quotient(a - 1, scaled) - 1 + to_start * by_start + to_end * by_end, (), tangents[0]),
        (in_shape, (), tangents[1]),
        (lambda: scaled * by_start - to_end * by_both - 1, (), tangents[2]),
        (lambda: scaled * by_end - to_start * by_both - 1, (), tangents[3]),
    )


_scaled_log_prob.defjvp(_scaled_log_prob_jvp, symbolic_zeros=True)


def bridge_mean(
    start: ArrayLike, end: ArrayLike, a: ArrayLike, elapsed: ArrayLike, remaining: ArrayLike
) -> Float[Array, "..."]:
    r"""$E[Y_s | x, w] = (a + P + Q + 2 \sqrt{PQ}\, R_{a-1}(2 \sqrt{PQ})) / \lambda$.

    The last term is computed as $2 PQ\, \partial_q \log {}_0F_1(; a; q)$ at q = PQ, which is differentiable at 0.
    """
    return _bridge_mean(*cast_arguments(None, start=start, end=end, a=a, elapsed=elapsed, remaining=remaining)[1])


@jax.jit
def _bridge_mean(start: Array, end: Array, a: Array, elapsed: Array, remaining: Array) -> Array:
    start, end, a, elapsed, remaining = jnp.broadcast_arrays(start, end, a, elapsed, remaining)
    inside = (elapsed > 0) & (remaining > 0)
    spread, to_start, to_end = _counts(start, end, jnp.where(inside, elapsed, 1.0), jnp.where(inside, remaining, 1.0))
    product = to_start * to_end
    mean = spread * (a + to_start + to_end + 2 * product * log_0f1_slope(a, product))
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
