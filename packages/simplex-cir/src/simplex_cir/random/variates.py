r"""Exact random variates that vectorise: Gamma, Poisson and the Bessel distribution of the bridge.

Rejected proposals are repeated by `simplex_cir.random.rejection`. Logarithms of Poisson probabilities are computed from
the deviance (Loader 2000), which is accurate in float32 where log Gamma of a count of a million is not.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import digamma
from jaxtyping import Float, PRNGKeyArray
from onepaper.errors import UsageError

from simplex_cir.random.rejection import Arrays, in_chunks, until_accepted
from simplex_cir.random.uniform import exponential, log_positive, normal_pair, uniforms
from simplex_cir.special.bessel import bessel_terms
from simplex_cir.special.debye import debye_coefficients
from simplex_cir.special.powers import is_zero, weighted_sum


def exponential_sample(key: PRNGKeyArray, shape: tuple[int, ...], dtype: jnp.dtype) -> Float[Array, "..."]:
    """Exponential of mean 1, one logarithm each."""

    def draw(key: PRNGKeyArray, shape: tuple[int, ...], _: Arrays) -> Array:
        return exponential(uniforms(key, 1, shape, dtype)[0])

    return in_chunks(draw, key, shape, ())


@partial(jax.jit, static_argnames="shape")
def gamma_sample(
    key: PRNGKeyArray, a: Float[Array, "..."], *, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Gamma(a, 1); exactly 0 for a = 0. Draws that underflow are 0: see `log_gamma_sample`.

    Args:
        a: shape parameters of at least 0, an array or, with `shape`, one scalar for all draws.
        shape: of the draws, by default that of a.

    The derivative in a is that at a fixed quantile (`jax.lax.random_gamma_grad`).
    """
    fixed = jax.lax.stop_gradient(a)
    valid = (fixed >= 0) & (fixed < jnp.inf)

    def propose(uniforms: Arrays, parameters: Arrays) -> Array:
        value, accepted, _ = gamma_proposal(uniforms, parameters[0])
        return jnp.where(accepted, value, jnp.nan)

    def draw(key: PRNGKeyArray, shape: tuple[int, ...], parameters: Arrays) -> Array:
        return until_accepted(key, shape, a.dtype, parameters, propose, num_uniforms=4)

    values = in_chunks(draw, key, a.shape if shape is None else shape, (jnp.where(valid, fixed, 1.0),))
    values = jnp.where(valid, values, jnp.nan)
    return _gamma_at_fixed_quantile(values, jnp.broadcast_to(a, values.shape))


@jax.jit
def log_gamma_sample(key: PRNGKeyArray, a: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""Logarithm of a Gamma(a, 1) variate for a > 0, $\log G_{a+1} + \log(U)/a$ below a = 1: never -inf."""
    fixed = jax.lax.stop_gradient(a)
    valid = (fixed > 0) & (fixed < jnp.inf)

    def propose(uniforms: Arrays, parameters: Arrays) -> Array:
        (a,) = parameters
        value, accepted, _ = gamma_above_one(uniforms, jnp.where(a < 1, a + 1, a))
        power = jnp.where(a < 1, log_positive(uniforms[3]) / a, 0.0)
        return jnp.where(accepted, log_positive(value) + power, jnp.nan)

    def draw(key: PRNGKeyArray, shape: tuple[int, ...], parameters: Arrays) -> Array:
        return until_accepted(key, shape, a.dtype, parameters, propose, num_uniforms=4)

    values = in_chunks(draw, key, a.shape, (jnp.where(valid, fixed, 1.0),))
    return _log_gamma_at_fixed_quantile(jnp.where(valid, values, jnp.nan), a)


@jax.custom_jvp
def _gamma_at_fixed_quantile(value: Array, a: Array) -> Array:
    return value


def _gamma_jvp(primals: tuple[Array, Array], tangents: tuple[Any, Any]) -> tuple[Array, Array]:
    value = _gamma_at_fixed_quantile(*primals)

    def slope() -> Array:
        positive = value > 0
        return jnp.where(
            positive, _gamma_slope(jnp.where(positive, primals[1], 1.0), jnp.where(positive, value, 1.0)), 0
        )

    return value, weighted_sum(value, (slope, (), tangents[1]))


_gamma_at_fixed_quantile.defjvp(_gamma_jvp, symbolic_zeros=True)


@jax.custom_jvp
def _log_gamma_at_fixed_quantile(log_value: Array, a: Array) -> Array:
    return log_value


def _log_gamma_jvp(primals: tuple[Array, Array], tangents: tuple[Any, Any]) -> tuple[Array, Array]:
    value, a = _log_gamma_at_fixed_quantile(*primals), primals[1]

    def slope() -> Array:
        # Below eps the distribution function is x^a / Gamma(a + 1) to rounding.
        ordinary = value > math.log(float(jnp.finfo(value.dtype).eps))
        x = jnp.exp(jnp.where(ordinary, value, 0.0))
        return jnp.where(ordinary, _gamma_slope(jnp.where(ordinary, a, 1.0), x) / x, (digamma(a + 1) - value) / a)

    return value, weighted_sum(value, (slope, (), tangents[1]))


_log_gamma_at_fixed_quantile.defjvp(_log_gamma_jvp, symbolic_zeros=True)


def _gamma_slope(a: Array, value: Array) -> Array:
    """Derivative in a of the Gamma(a, 1) quantile at `value`."""
    slope: Any = jax.lax.random_gamma_grad
    return slope(a, value)


@jax.custom_jvp
def counted(counts: Float[Array, "..."], *parameters: Float[Array, "..."]) -> Float[Array, "..."]:
    """Random counts as they are; their derivative in the parameters of their distribution is refused.

    A count has no pathwise derivative: 0 would be wrong for every average over counts.

    Raises:
        UsageError: where it is differentiated.
    """
    return counts


def _counted_jvp(primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    if not all(map(is_zero, tangents[1:])):
        raise UsageError(
            "draws that use random counts (Poisson, bridges, trajectories) have no pathwise derivative, expected no "
            "differentiation through them; stop it by jax.lax.stop_gradient, or differentiate transition_sample"
        )
    return counted(*primals), jnp.zeros_like(primals[0])


counted.defjvp(_counted_jvp, symbolic_zeros=True)


def gamma_proposal(uniforms: Arrays, a: Float[Array, "..."]) -> tuple[Array, Array, Array]:
    """`gamma_above_one` for all a >= 0: below 1 Gamma(a + 1) times a power of a fourth uniform, 0 at a = 0."""
    value, accepted, normal = gamma_above_one(uniforms, jnp.where(a < 1, a + 1, a))
    boosted = value * jnp.exp(log_positive(uniforms[3]) / jnp.where(a > 0, a, 1.0))
    return jnp.where(a < 1, jnp.where(a == 0, 0.0, boosted), value), accepted, normal


def gamma_above_one(uniforms: Arrays, a: Float[Array, "..."]) -> tuple[Array, Array, Array]:
    """Proposal of Gamma(a, 1) for a >= 1 from three uniforms (Marsaglia and Tsang 2000), of which 95% are accepted.

    Returns:
        The value, whether it is accepted, and the unused normal of a pair, independent of both.
    """
    d = a - 1 / 3
    x, spare = normal_pair(uniforms[0], uniforms[1])
    y = x / jnp.sqrt(9 * d)
    positive = y > -1
    y = jnp.where(positive, y, 0.0)
    # log of the acceptance is 3 d (log(1 + y) - y + y^2/2 - y^3/3), of order d y^4; its series where it cancels.
    series = jnp.zeros_like(y)
    for k in reversed(range(4, 13)):
        series = series * y + (-1) ** (k + 1) / k
    direct = log_positive(1 + y) - y * (1 - y * (0.5 - y / 3))
    log_accept = 3 * d * jnp.where(jnp.abs(y) < 0.03, series * y**4, direct)
    return d * (1 + y) ** 3, positive & (uniforms[2] < jnp.exp(log_accept)), spare


@jax.jit
def poisson_sample(key: PRNGKeyArray, mean: Float[Array, "..."]) -> Float[Array, "..."]:
    """Poisson counts as floating-point numbers, since a mean of 1e12 overflows int32: by inversion below a mean of 10,
    by transformed rejection (PTRS) above."""
    return counted(in_chunks(poisson_draw, key, mean.shape, (jax.lax.stop_gradient(mean),)), mean)


def poisson_draw(key: PRNGKeyArray, shape: tuple[int, ...], parameters: Arrays) -> Array:
    """`poisson_sample` without chunks; the mean is a scalar or of the shape."""
    (mean,) = parameters
    small_key, large_key = jax.random.split(key)
    valid = (mean >= 0) & (mean < jnp.inf)
    large = valid & (mean >= 10)

    def inverted(key: PRNGKeyArray) -> Array:
        return _poisson_inversion(uniforms(key, 1, shape, mean.dtype)[0], jnp.where(valid & ~large, mean, 1.0))

    def rejected(key: PRNGKeyArray) -> Array:
        parameters = (jnp.where(large, mean, 10.0),)
        return until_accepted(key, shape, mean.dtype, parameters, _poisson_proposal, num_uniforms=2)

    def nothing(_: PRNGKeyArray) -> Array:
        return jnp.zeros(shape, mean.dtype)

    # A chunk whose means are all small, or all large, runs one method only.
    small_counts = jax.lax.cond(jnp.any(valid & ~large), inverted, nothing, small_key)
    large_counts = jax.lax.cond(jnp.any(large), rejected, nothing, large_key)
    return jnp.where(valid, jnp.where(large, large_counts, small_counts), jnp.nan)


def _poisson_inversion(uniform: Array, mean: Array) -> Array:
    """Inversion of the upper tail, accumulated from its far end so that rare counts keep their probability."""
    # N is the number of k >= 1 with uniform <= P(N >= k); beyond the last k that is below a uniform's resolution.
    last = 59 if mean.dtype == jnp.float64 else 39
    terms = [jnp.exp(-mean)]
    for k in range(1, last + 1):
        terms.append(terms[-1] * (mean / k))
    tail, counts = jnp.zeros_like(mean), jnp.zeros_like(uniform)
    for term in reversed(terms[1:]):
        tail = tail + term
        counts = counts + (uniform <= tail)
    return counts


def _poisson_proposal(uniforms: Arrays, parameters: Arrays) -> Array:
    """Transformed rejection with squeeze (Hormann 1993, PTRS), for means of at least 10."""
    (m,) = parameters
    u, v = uniforms[0] - 0.5, uniforms[1]
    b = 0.931 + 2.53 * jnp.sqrt(m)
    a = -0.059 + 0.02483 * b
    distance = jnp.maximum(0.5 - jnp.abs(u), jnp.finfo(m.dtype).tiny)
    count = jnp.floor((2 * a / distance + b) * u + m + 0.43)
    quick = (distance >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
    possible = (count >= 0) & ~((distance < 0.013) & (v > distance))
    log_v = log_positive(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / distance**2 + b))
    accepted = log_v <= log_poisson(jnp.where(possible, count, 0.0), m)
    return jnp.where(quick | (possible & accepted), count, jnp.nan)


@jax.jit
def bessel_sample(key: PRNGKeyArray, nu: Float[Array, "..."], z: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""Bessel distribution, $P(i) = \frac{(z/2)^{2i+\nu}}{I_\nu(z)\, i!\, \Gamma(i + \nu + 1)}$.

    Its mean is $\frac z2 R_\nu(z)$. It is log-concave, so the rejection method around the mode for
    log-concave distributions applies (Devroye 1986, chapter X), at bounded cost for all z.

    Args:
        nu: order above -1.
        z: argument of at least 0; at 0, and where P(i > 0) is below eps^4, the draw is 0.

    Returns:
        Counts as floating-point numbers, broadcast shape. NaN where nu or z is out of range.
    """
    parameters = jnp.broadcast_arrays(nu, z)
    nu, z = (jax.lax.stop_gradient(parameter) for parameter in parameters)
    valid = (nu > -1) & (nu < jnp.inf) & (z >= 0) & (z < jnp.inf)
    a = jnp.where(valid, nu + 1, 1.0)
    # P(i > 0) < z^2 / (4 a): neglected below eps^4, far above where the square underflows.
    positive = valid & (z * z > 4 * a * float(jnp.finfo(z.dtype).eps) ** 4)
    safe = jnp.where(positive, z, 1.0)
    order = a - 1
    w = jnp.sqrt(order**2 + safe**2)
    # First and second Poisson rates of log p_i: their product is z^2 / 4, their difference nu.
    upper = jnp.where(order >= 0, (w + order) / 2, safe**2 / (2 * (w - order)))
    lower = safe**2 / (4 * upper)
    mode = jnp.floor(lower)
    shift = jnp.where(order >= 0, 0.0, w - safe - order * jnp.log(upper))
    log_scale = shift - bessel_terms(a, safe).remainder
    log_peak = _log_bessel(mode, a, lower, upper)
    peak = jnp.exp(log_peak + log_scale)

    def propose(uniforms: Arrays, parameters: Arrays) -> Array:
        a, lower, upper, mode, peak, log_peak = parameters
        width = 1 + peak / 2
        tail = uniforms[0] > width / (1 + width)
        distance = jnp.where(tail, width + exponential(uniforms[1]), width * uniforms[1]) / peak
        step = jnp.where(uniforms[2] > 0.5, 1.0, -1.0).astype(a.dtype) * jnp.round(distance)
        index = mode + step
        bound = jnp.minimum(0.0, width - peak * distance)
        possible = index >= 0
        log_ratio = _log_bessel(jnp.where(possible, index, mode), a, lower, upper) - log_peak
        return jnp.where(possible & (log_positive(uniforms[3]) + bound <= log_ratio), index, jnp.nan)

    def draw(key: PRNGKeyArray, shape: tuple[int, ...], parameters: Arrays) -> Array:
        return until_accepted(key, shape, a.dtype, parameters, propose, num_uniforms=4)

    counts = in_chunks(draw, key, a.shape, (a, lower, upper, mode, peak, log_peak))
    return counted(jnp.where(valid, jnp.where(positive, counts, 0.0), jnp.nan), *parameters)


def _log_bessel(index: Array, a: Array, lower: Array, upper: Array) -> Array:
    """log p_i up to the normalisation, as two Poisson-like terms whose modes coincide."""
    return log_poisson(index, lower) + log_poisson(index + (a - 1), upper)


def log_poisson(count: Float[Array, "..."], mean: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$k \log m - m - \log \Gamma(k+1)$ for real k > -1 by the deviance at n = k + 1; absolute error of a few ulp."""
    n = count + 1
    u = (n - mean) / mean
    log_ratio = jnp.log1p(u)
    deviance = mean * (u * log_ratio - log1p_deficit(u))
    return -deviance + 0.5 * jnp.log(n) - jnp.log(mean) - 0.5 * math.log(2 * math.pi) - _stirling_error(n)


def log1p_deficit(u: Float[Array, "..."]) -> Float[Array, "..."]:
    """u - log(1 + u) for u >= -1 without cancellation, by log1p(u) = 2 atanh(u / (2 + u))."""
    small = jnp.abs(u) < 0.4
    safe = jnp.where(small, u, 0.0)
    s = safe / (2 + safe)
    square = s * s
    terms = 13 if u.dtype == jnp.float64 else 6
    series = jnp.zeros_like(u)
    for k in reversed(range(terms)):
        series = series * square + 1 / (2 * k + 3)
    return jnp.where(small, safe * s - 2 * s * square * series, u - jnp.log1p(jnp.where(small, 0.0, u)))


def _stirling_error(x: Array) -> Array:
    """log Gamma(x) less Stirling's formula, x > 0; for small x by log Gamma(x + r) and a product of r factors."""
    reach, terms = (10, 12) if x.dtype == jnp.float64 else (3, 8)
    large = x >= reach
    safe = jnp.where(large, x, x + reach)
    series = jnp.zeros_like(x)
    for coefficients in reversed(debye_coefficients(terms)):
        series = (series - float(sum(coefficients))) / safe
    low = jnp.where(large, 1.0, x)
    product = low
    for k in range(1, reach):
        product = product * (low + k)
    shift = (low + (reach - 0.5)) * jnp.log(low + reach) - reach - jnp.log(product) - (low - 0.5) * jnp.log(low)
    return jnp.where(large, series, series + shift)
