r"""The distribution of $V = \mathrm{Gamma}(a + N, 1)$, $N \sim \mathrm{Poisson}(P)$, half a non-central chi-squared
variable.

In the coordinate V = c y, c = 1/(1 - kappa), every transition of the process has this distribution, with P = c kappa x
(paper, eq. 8):

$$f(V) = e^{-P-V} (V/P)^{\nu/2} I_\nu(2\sqrt{PV}), \qquad \nu = a - 1.$$

The logarithm is computed with the exponent written as a completed square. With $\beta = \max(\nu, 0)$,
$w = \sqrt{\beta^2 + 4PV}$ and $u = 2 (V - \beta - P) / (w + \beta + 2P)$,

$$\log f = -P u^2 - \beta (u - \log(1+u)) + (\nu - \beta) \log V + M,$$

where M is the remainder of `simplex_cir.special.bessel.BesselTerms`, of order log(PV). For a <= 1 the first terms are
$-(\sqrt V - \sqrt P)^2$. The only cancellation left is that of V - P, which a caller may pass if it knows the
difference more accurately. Below PV = 1/4 derivatives are those of

$$\log f = -P - V + \nu \log V - \log \Gamma(a) + \log {}_0F_1(; a; PV)$$

with the power series of the last term, which has no root to differentiate at P = 0, the start of all wrong tokens.

Draws are differentiated with their quantile held fixed (implicit reparameterisation, Figurnov et al. 2018),
$dV/d\theta = -(\partial_\theta F) / f$. In P it is $V\, \partial_q \log {}_0F_1(; a; q)$ at q = PV, since
$\partial_P F(v; a, P) = -f(v; a + 1, P)$.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import digamma, gammaln
from jax.scipy.stats import norm
from jaxtyping import Float, PRNGKeyArray

from simplex_cir.random.rejection import Arrays, in_chunks, until_accepted
from simplex_cir.random.uniform import exponential, normal_pair, uniforms, unit_circle
from simplex_cir.random.variates import (
    gamma_above_one,
    gamma_proposal,
    gamma_sample,
    log1p_deficit,
    log_poisson,
    poisson_draw,
)
from simplex_cir.special.bessel import SMALL, bessel_remainder, bessel_terms, log_0f1_series, log_0f1_slope
from simplex_cir.special.powers import log_power, quotient, weighted_sum

_NODES = tuple(np.polynomial.legendre.leggauss(48))


def noncentral_gamma_log_prob(
    value: Float[Array, "..."],
    a: Float[Array, "..."],
    mean_count: Float[Array, "..."],
    difference: Float[Array, "..."] | None = None,
) -> Float[Array, "..."]:
    """Log density of V at `value` >= 0 (formula above), for inputs of one shape and dtype.

    Args:
        value: V.
        a: shape, above 0.
        mean_count: P >= 0.
        difference: V - P where it is known more accurately than by subtraction.
    """
    return _log_prob(value, a, mean_count, value - mean_count if difference is None else difference)


@jax.custom_jvp
@jax.jit
def _log_prob(value: Array, a: Array, mean_count: Array, difference: Array) -> Array:
    nu, beta, w, u = _square(value, a, mean_count, difference)
    positive = beta > 0
    root_sum = jnp.sqrt(value) + jnp.sqrt(mean_count)
    central = difference / jnp.where(root_sum > 0, root_sum, 1.0)
    root = jnp.where(positive, jnp.sqrt(mean_count) * u, central)
    close = jnp.abs(u) < 0.4
    deficit = jnp.where(close, log1p_deficit(jnp.where(close, u, 0.0)), u - _log_one_plus_u(value, beta, w, u))
    exponent = root**2 + jnp.where(positive, beta * jnp.where(positive, deficit, 0.0), 0.0)
    power = log_power(jnp.minimum(nu, 0.0), value)
    return power - exponent + bessel_remainder(a, 2 * jnp.sqrt(mean_count * value))


def _log_prob_jvp(primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    value, a, mean_count, difference = primals
    result = _log_prob(value, a, mean_count, difference)
    in_value, in_mean_count = noncentral_gamma_scores(value, a, mean_count, difference)
    shape_score = (_shape_score, (value, a, mean_count, difference), tangents[1])
    slopes = ((lambda slope=slope: slope, (), tangents[i]) for i, slope in ((0, in_value), (2, in_mean_count)))
    return result, weighted_sum(result, *slopes, shape_score)


_log_prob.defjvp(_log_prob_jvp, symbolic_zeros=True)


@jax.jit
def noncentral_gamma_scores(
    value: Float[Array, "..."],
    a: Float[Array, "..."],
    mean_count: Float[Array, "..."],
    difference: Float[Array, "..."],
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    r"""Derivatives of log f in V and in P, from which the score of the process follows (paper, from eq. 8).

    $\partial_V = \frac{\nu}{V} - 1 + \sqrt{P/V}\, R_\nu(z)$ and $\partial_P = -1 + \sqrt{V/P}\, R_\nu(z)$ at
    z = 2 sqrt(PV); for z >= 1 they are computed from the completed square, which is accurate near the mode.
    """
    far, low, v, p, d = _regions(value, mean_count, difference)
    _, slope = jax.jvp(lambda q: log_0f1_series(a, q), (low,), (jnp.ones_like(low),))
    terms = bessel_terms(a, 2 * jnp.sqrt(p * v))
    nu, beta, w, u = _square(v, a, p, d)
    squared = -(d - beta) * (w + beta) / ((w + beta + 2 * p) * v) + (nu - beta) / v
    in_value = jnp.where(far, squared + 2 * p * terms.excess, quotient(a - 1, value) - 1 + mean_count * slope)
    in_mean_count = jnp.where(far, u + 2 * v * terms.excess, value * slope - 1)
    return in_value, in_mean_count


def _shape_score(value: Array, a: Array, mean_count: Array, difference: Array) -> Array:
    """Derivative of log f in a."""
    far, low, v, p, d = _regions(value, mean_count, difference)
    _, in_series = jax.jvp(lambda shape: log_0f1_series(shape, low), (a,), (jnp.ones_like(a),))
    z = 2 * jnp.sqrt(p * v)
    _, in_remainder = jax.jvp(lambda shape: bessel_remainder(shape, z), (a,), (jnp.ones_like(a),))
    nu, beta, w, u = _square(v, a, p, d)
    in_square = jnp.where(nu >= 0, _log_one_plus_u(v, beta, w, u), jnp.log(v))
    return jnp.where(far, in_remainder + in_square, in_series + jnp.log(value) - digamma(a))


def _regions(value: Array, mean_count: Array, difference: Array) -> tuple[Array, ...]:
    """Where PV exceeds `SMALL`; PV below, and V, P and V - P above, replaced by harmless numbers elsewhere, since a
    derivative that is not a number would pass through `where`."""
    product = mean_count * value
    far = product > SMALL
    low = jnp.where(far, 0.0, product)
    return far, low, *(jnp.where(far, x, y) for x, y in ((value, 1.0), (mean_count, 1.0), (difference, 0.0)))


def _square(value: Array, a: Array, mean_count: Array, difference: Array) -> tuple[Array, Array, Array, Array]:
    """nu, beta, w and u of the module's formula; u is 0 where its denominator vanishes."""
    nu = a - 1
    beta = jnp.where(nu >= 0, nu, 0.0)
    w = jnp.sqrt(beta**2 + 4 * mean_count * value)
    denominator = w + beta + 2 * mean_count
    u = 2 * (difference - beta) / jnp.where(denominator > 0, denominator, 1.0)
    return nu, beta, w, jnp.where(denominator > 0, jnp.maximum(u, -1.0), 0.0)


def _log_one_plus_u(value: Array, beta: Array, w: Array, u: Array) -> Array:
    """log(1 + u), which is log(2 V / (w + beta)); by u itself near 0."""
    close = jnp.abs(u) < 0.4
    denominator = jnp.where(close | (w + beta == 0), 1.0, w + beta)
    return jnp.where(close, jnp.log1p(jnp.where(close, u, 0.0)), jnp.log(2 * value / denominator))


@jax.custom_jvp
@jax.jit
def noncentral_gamma_cdf(
    value: Float[Array, "..."], a: Float[Array, "..."], mean_count: Float[Array, "..."]
) -> Float[Array, "..."]:
    r"""P(V <= v), absolute error about 1e-13 in float64 and 1e-5 in float32.

    For a + P up to 40 (16 in float32) by the series of positive terms
    $\sum_k \frac{v^{a+k} e^{-v}}{\Gamma(a+k+1)} W_k$, with $W_k = P(N \le k)$: the mixture of regularised incomplete
    gammas, summed in another order. Above, sqrt(V) has a standard deviation of about 0.7 around sqrt(a + P), and the
    nearer tail is integrated in sqrt(V) by Gauss-Legendre quadrature.
    """
    small, limit, largest, terms = _regime(a, mean_count)
    series = _cdf_series(
        jnp.where(small, jnp.minimum(value, largest), 1.0),
        jnp.where(small, a, 1.0),
        jnp.where(small, mean_count, 1.0),
        terms,
    )
    by_rule = _cdf_rule(jnp.where(small, limit, value), jnp.where(small, limit, a), jnp.where(small, limit, mean_count))
    return jnp.clip(jnp.where(small, series, by_rule), 0.0, 1.0)


def _cdf_jvp(primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    value, a, mean_count = primals
    result = noncentral_gamma_cdf(*primals)

    def density(a: Array) -> Array:
        return jnp.where(value < jnp.inf, jnp.exp(noncentral_gamma_log_prob(value, a, mean_count)), 0.0)

    return result, weighted_sum(
        result,
        (density, (a,), tangents[0]),
        (lambda: -density(a) * _shape_velocity(value, a, mean_count), (), tangents[1]),
        (lambda: -density(a + 1), (), tangents[2]),
    )


noncentral_gamma_cdf.defjvp(_cdf_jvp, symbolic_zeros=True)


def _regime(a: Array, mean_count: Array) -> tuple[Array, float, float, int]:
    """Where the series is used, up to which a + P, its largest value, and its number of terms."""
    limit, largest, terms = (40.0, 170.0, 320) if a.dtype == jnp.float64 else (16.0, 72.0, 160)
    return a + mean_count <= limit, limit, largest, terms


def _cdf_series(value: Array, a: Array, mean_count: Array, terms: int) -> Array:
    positive = value > 0
    safe = jnp.where(positive, value, 1.0)
    term = jnp.exp(log_poisson(a, safe))
    weight = jnp.exp(-mean_count)

    def step(k: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
        total, term, weight, cumulated = state
        total = total + term * cumulated
        weight = weight * mean_count / (k + 1)
        return total, term * safe / (a + k + 1), weight, cumulated + weight

    total = jax.lax.fori_loop(0, terms, step, (jnp.zeros_like(value), term, weight, weight))[0]
    return jnp.where(positive, total, 0.0)


def _cdf_rule(value: Array, a: Array, mean_count: Array) -> Array:
    lower, tail = _tail(lambda r, log_prob: jnp.exp(log_prob), value, a, mean_count)
    return jnp.where(lower, tail, 1 - tail)


def _tail(integrand: Callable[[Array, Array], Array], value: Array, a: Array, mean_count: Array) -> tuple[Array, Array]:
    """Whether the lower tail is the nearer one, and the integral over the nearer tail of a function of the root of the
    variable and of its log density."""
    nodes, weights = (jnp.asarray(array, value.dtype) for array in _NODES)
    root, root_mean = jnp.sqrt(value), jnp.sqrt(mean_count)
    offset = root - jnp.sqrt(a + mean_count)
    lower = offset < 0
    # The density decreases like exp(-r^2) or faster: it is integrated until it is smaller by exp(-40).
    length = 40.0 / (jnp.sqrt(offset**2 + 40.0) + jnp.abs(offset))
    length = jnp.where(lower, -jnp.minimum(length, root), length)

    def step(total: Array, node: tuple[Array, Array]) -> tuple[Array, None]:
        r = root + length * (node[0] + 1) / 2
        log_prob = noncentral_gamma_log_prob(r * r, a, mean_count, (r - root_mean) * (r + root_mean))
        return total + node[1] * r * integrand(r, log_prob), None

    total, _ = jax.lax.scan(step, jnp.zeros_like(value), (nodes, weights))
    return lower, total * jnp.abs(length)


def _shape_velocity(value: Array, a: Array, mean_count: Array) -> Array:
    r"""$dV/da = -(\partial_a F) / f$ at a fixed quantile, which is not negative.

    Where the series of F is used and V is below the mean, by its derivative; elsewhere the derivative of log f in a is
    integrated over the nearer tail, with the density relative to that at V.
    """
    positive = value > 0
    safe = jnp.where(positive, value, 1.0)
    small, _, largest, terms = _regime(a, mean_count)
    by_series = small & (safe < a + mean_count)
    v, shape, count = (jnp.where(by_series, x, 1.0) for x in (jnp.minimum(safe, largest), a, mean_count))
    _, in_a = jax.jvp(lambda shape: _cdf_series(v, shape, count, terms), (shape,), (jnp.ones_like(shape),))
    series = -in_a / jnp.exp(noncentral_gamma_log_prob(v, shape, count))
    v, shape, count = (
        jnp.where(by_series, 3.0, safe),
        jnp.where(by_series, 1.0, a),
        jnp.where(by_series, 1.0, mean_count),
    )
    log_density = noncentral_gamma_log_prob(v, shape, count)

    def integrand(r: Array, log_prob: Array) -> Array:
        return jnp.exp(log_prob - log_density) * _shape_score(r * r, shape, count, r * r - count)

    lower, tail = _tail(integrand, v, shape, count)
    return jnp.where(positive, jnp.where(by_series, series, jnp.where(lower, -tail, tail)), 0.0)


@jax.custom_jvp
@jax.jit
def noncentral_gamma_quantile(
    probability: Float[Array, "..."], a: Float[Array, "..."], mean_count: Float[Array, "..."]
) -> Float[Array, "..."]:
    """The v with P(V <= v) = probability, by Newton's method on log v within a bracket that shrinks.

    0 at probability 0, inf at 1, NaN outside [0, 1]. Where a quantile underflows, a number close to 0 is returned.
    """
    inside = (probability > 0) & (probability < 1)
    p = jnp.where(inside, probability, 0.5)
    # P(V <= v) <= v^a / Gamma(a + 1) bounds from below; sqrt(V) exceeds sqrt(a + P) + t with probability < exp(-t^2).
    low = (jnp.log(p) + gammaln(a + 1)) / a - 0.1
    spread = jnp.sqrt(a + mean_count)
    high = 2 * jnp.log(spread + jnp.sqrt(-jnp.log1p(-p)) + 1)
    # For small a + P the lower bound is a good starting point.
    guess = jnp.maximum(spread + 0.6 * norm.ppf(p), 0.0)
    start = jnp.clip(2 * jnp.log(jnp.maximum(guess, 1e-6)), low, high)
    tolerance = 8 * jnp.finfo(p.dtype).eps

    def unfinished(state: tuple[Array, ...]) -> Array:
        count, _, _, _, _, moved = state
        return (count < 80) & jnp.any(moved)

    def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
        count, low, high, position, value, moved = state
        cdf = noncentral_gamma_cdf(value, a, mean_count)
        slope = value * jnp.exp(noncentral_gamma_log_prob(value, a, mean_count))
        low, high = jnp.where(cdf < p, position, low), jnp.where(cdf < p, high, position)
        # In the lower half on log P(V <= v), which is nearly linear in log v where the tail is a power.
        in_log = cdf * (jnp.log(jnp.maximum(cdf, jnp.finfo(p.dtype).tiny)) - jnp.log(p))
        newton = -jnp.where(p < 0.5, in_log, cdf - p) / jnp.where(slope > 0, slope, 1.0)
        usable = (slope > 0) & (position + newton > low) & (position + newton < high)
        change = jnp.where(moved, jnp.where(usable, newton, (low + high) / 2 - position), 0.0)
        position = position + change
        # Small changes multiply v itself: log v has too few digits where v is large.
        value = jnp.where(jnp.abs(change) < 0.1, value * jnp.exp(change), jnp.exp(position))
        return count + 1, low, high, position, value, moved & (jnp.abs(change) > tolerance)

    state = (jnp.zeros((), jnp.int32), low, high, start, jnp.exp(start), jnp.ones(p.shape, bool))
    value = jax.lax.while_loop(unfinished, step, state)[4]
    outside = jnp.where(probability == 0, 0.0, jnp.where(probability == 1, jnp.inf, jnp.nan))
    return jnp.where(inside, value, outside)


def _quantile_jvp(primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    _, a, mean_count = primals
    value = noncentral_gamma_quantile(*primals)
    return value, weighted_sum(
        value,
        (lambda: jnp.exp(-noncentral_gamma_log_prob(value, a, mean_count)), (), tangents[0]),
        (_shape_velocity, (value, a, mean_count), tangents[1]),
        (lambda: value * log_0f1_slope(a, mean_count * value), (), tangents[2]),
    )


noncentral_gamma_quantile.defjvp(_quantile_jvp, symbolic_zeros=True)


@partial(jax.jit, static_argnames=("shape", "route"))
def noncentral_gamma_sample(
    key: PRNGKeyArray,
    a: Float[Array, "..."],
    signal: Float[Array, "..."],
    noise: Float[Array, "..."],
    *,
    shape: tuple[int, ...],
    route: str,
) -> Float[Array, "..."]:
    r"""Exact draws of noise * V with P = signal / noise; `signal` itself (in distribution) at noise = 0.

    Arguments are scalars or of the shape of the draws. Methods, all exact, by name of `route`: "exponential" for a = 1,
    $|\sqrt{s} + \sqrt{n E} e^{i\theta}|^2$; "square" for a = 1/2, $(\sqrt s + \sqrt{n/2} Z)^2$; "normal" for
    a >= 1/2, that plus $n G_{a-1/2}$, and "above" the same for a >= 3/2; "poisson" for all a > 0, $n G_{a+N}$; "mixed"
    chooses for each element. Derivatives are those of `at_fixed_quantile`.
    """
    fixed = tuple(jax.lax.stop_gradient(parameter) for parameter in (a, signal, noise))
    draws = {"exponential": _from_circle, "square": _from_square, "poisson": _from_counts, "mixed": _mixed}
    draw = draws.get(route, partial(_shifted, route))
    value = in_chunks(draw, key, shape, fixed)
    return at_fixed_quantile(value, *(jnp.broadcast_to(parameter, shape) for parameter in (a, signal, noise)))


@jax.custom_jvp
def at_fixed_quantile(
    value: Float[Array, "..."], a: Float[Array, "..."], signal: Float[Array, "..."], noise: Float[Array, "..."]
) -> Float[Array, "..."]:
    """The draws `value` of noise * V, P = signal / noise, with their derivatives in the parameters at fixed quantiles.

    Arguments have one shape. At noise = 0 the derivative in the signal is 1; that in the noise does not exist, and is
    not a number.
    """
    return value


def _at_fixed_quantile_jvp(primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    _, a, signal, noise = primals
    value = at_fixed_quantile(*primals)
    random = noise > 0
    safe = jnp.where(random, noise, 1.0)
    v, mean_count = value / safe, signal / safe

    def gain() -> Array:
        return v * log_0f1_slope(a, v * mean_count)

    return value, weighted_sum(
        value,
        (lambda: safe * _shape_velocity(v, a, mean_count), (), tangents[1]),
        (lambda: jnp.where(random, gain(), 1.0), (), tangents[2]),
        (lambda: jnp.where(random, v - mean_count * gain(), jnp.nan), (), tangents[3]),
    )


at_fixed_quantile.defjvp(_at_fixed_quantile_jvp, symbolic_zeros=True)


def _from_circle(key: PRNGKeyArray, shape: tuple[int, ...], parameters: Arrays) -> Array:
    _, signal, noise = parameters
    radial, angular = uniforms(key, 2, shape, signal.dtype)
    energy = noise * exponential(radial)
    return jnp.maximum(signal + energy + 2 * jnp.sqrt(signal * energy) * unit_circle(angular)[0], 0.0)


def _from_square(key: PRNGKeyArray, shape: tuple[int, ...], parameters: Arrays) -> Array:
    _, signal, noise = parameters
    normal, _ = normal_pair(*uniforms(key, 2, shape, signal.dtype))
    return (jnp.sqrt(signal) + jnp.sqrt(noise / 2) * normal) ** 2


def _shifted(route: str, key: PRNGKeyArray, shape: tuple[int, ...], parameters: Arrays) -> Array:
    a, signal, noise = parameters
    above = route == "above"

    def propose(uniforms: Arrays, parameters: Arrays) -> Array:
        rest, signal_root, noise = parameters
        gamma, accepted, normal = (gamma_above_one if above else gamma_proposal)(uniforms, rest)
        value = (signal_root + jnp.sqrt(noise / 2) * normal) ** 2 + noise * gamma
        return jnp.where(accepted, value, jnp.nan)

    # Out of range the result is NaN, which the loop would take for a rejected proposal.
    valid = (a >= 0) & (signal >= 0) & (noise >= 0) & (signal + noise + a < jnp.inf)
    rest = jnp.where(valid, jnp.maximum(a - 0.5, 1.0 if above else 0.0), 1.0)
    root, spread = jnp.sqrt(jnp.where(valid, signal, 1.0)), jnp.where(valid, noise, 1.0)
    values = until_accepted(key, shape, a.dtype, (rest, root, spread), propose, num_uniforms=3 if above else 4)
    return jnp.where(valid, values, jnp.nan)


def _from_counts(key: PRNGKeyArray, shape: tuple[int, ...], parameters: Arrays) -> Array:
    a, signal, noise = parameters
    count_key, gamma_key = jax.random.split(key)
    mean_count = jnp.where(noise > 0, signal / jnp.where(noise > 0, noise, 1.0), 0.0)
    counts = poisson_draw(count_key, shape, (mean_count,))
    return noise * gamma_sample(gamma_key, a + counts)


def _mixed(key: PRNGKeyArray, shape: tuple[int, ...], parameters: Arrays) -> Array:
    first_key, second_key = jax.random.split(key)
    by_count = _from_counts(first_key, shape, parameters)
    return jnp.where(parameters[0] < 0.5, by_count, _shifted("normal", second_key, shape, parameters))
