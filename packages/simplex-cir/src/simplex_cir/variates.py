r"""Exact random variates that vectorise: exponential, normal, Gamma, Poisson and the Bessel distribution of the bridge.

A rejection method wastes vector lanes: a loop until every element is accepted costs as much in its last round as in its
first. `_until_accepted` gathers rejected elements into a buffer a sixteenth as long and repeats there, so that the work
is that of little more than one round. Which elements wait does not depend on their new draws: the laws are exact.

Every logarithm of a Poisson-like probability is taken by its deviance (Loader 2000), which float32 can hold where
log Gamma of a count of a million cannot.
"""

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, PRNGKeyArray

from simplex_cir.bessel import bessel_terms
from simplex_cir.debye import debye_coefficients

_SLOTS, _SMALL, _CHUNK = 2, 2048, 8192
_Arrays = tuple[Array, ...]
# From uniforms on (0, 1] and parameters, values and whether they are accepted.
_Proposal = Callable[[_Arrays, _Arrays], tuple[_Arrays, Array]]


def open_uniform(key: PRNGKeyArray, shape: tuple[int, ...], dtype: jnp.dtype) -> Float[Array, "..."]:
    """Uniform on (0, 1], 32 bits in float32 and 53 in float64: fine near 0, where logarithms need it."""
    if dtype == jnp.float64:
        bits = jax.random.bits(key, shape, jnp.uint64) >> 11
        return (bits.astype(dtype) + 0.5) * 2.0**-53
    return jax.random.bits(key, shape, jnp.uint32).astype(dtype) * jnp.asarray(2.0**-32, dtype) + 2.0**-33


def exponential_sample(key: PRNGKeyArray, shape: tuple[int, ...], dtype: jnp.dtype) -> Float[Array, "..."]:
    """Exponential of mean 1, one logarithm each."""
    return -jnp.log(open_uniform(key, shape, dtype))


def in_chunks(draw: Callable[[PRNGKeyArray, _Arrays], _Arrays], key: PRNGKeyArray, parameters: _Arrays) -> _Arrays:
    """draw(key, parameters) for parameters of one shape, on a CPU a piece of cache size at a time: twice as fast.

    On other devices all at once.
    """
    size = parameters[0].size
    if size <= _CHUNK:
        return draw(key, parameters)

    def by_chunks(key: PRNGKeyArray, *parameters: Array) -> _Arrays:
        count = -(-size // _CHUNK)
        flat = (parameter.reshape(-1) for parameter in parameters)
        chunks = tuple(jnp.pad(row, (0, count * _CHUNK - size), mode="edge").reshape(count, _CHUNK) for row in flat)
        values = jax.lax.map(lambda inputs: draw(*inputs), (jax.random.split(key, count), chunks))
        return tuple(value.reshape(-1)[:size].reshape(parameters[0].shape) for value in values)

    def at_once(key: PRNGKeyArray, *parameters: Array) -> _Arrays:
        return draw(key, parameters)

    return jax.lax.platform_dependent(key, *parameters, cpu=by_chunks, default=at_once)


@partial(jax.jit, static_argnums=(1, 2))
def normal_pair(
    key: PRNGKeyArray, shape: tuple[int, ...], dtype: jnp.dtype
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Two independent standard normals (Box and Muller 1958) for one logarithm, one root and two polynomials."""
    uniforms = open_uniform(key, (2, *shape), dtype)
    return _box_muller(uniforms[0], uniforms[1])


def _box_muller(first: Array, second: Array) -> tuple[Array, Array]:
    radius = jnp.sqrt(-2 * jnp.log(first))
    cosine, sine = turn(second)
    return radius * cosine, radius * sine


def turn(fraction: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    r"""$\cos 2 \pi u$ and $\sin 2 \pi u$ for u in [0, 1], by Taylor's series on an eighth of a turn."""
    quarter = jnp.round(4 * fraction)
    angle = (4 * fraction - quarter) * (math.pi / 2)
    square = angle * angle
    degree = 9 if fraction.dtype == jnp.float64 else 5
    cosine, sine = jnp.zeros_like(angle), jnp.zeros_like(angle)
    for k in reversed(range(degree)):
        cosine = cosine * square + (-1) ** k / math.factorial(2 * k)
        sine = sine * square + (-1) ** k / math.factorial(2 * k + 1)
    sine = sine * angle
    quarter = quarter - 4 * jnp.floor(quarter / 4)
    odd = (quarter == 1) | (quarter == 3)
    cosine, sine = jnp.where(odd, sine, cosine), jnp.where(odd, cosine, sine)
    return jnp.where((quarter == 1) | (quarter == 2), -cosine, cosine), jnp.where(quarter >= 2, -sine, sine)


def gamma_sample(key: PRNGKeyArray, a: Float[Array, "..."]) -> Float[Array, "..."]:
    """Gamma(a, 1); exactly 0 for a = 0. Draws below the smallest number round to 0: see `log_gamma_sample`."""
    return gamma_and_normal_sample(key, a)[0]


@partial(jax.jit, static_argnames="above_one")
def gamma_and_normal_sample(
    key: PRNGKeyArray, a: Float[Array, "..."], *, above_one: bool = False
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Gamma(a, 1) and an independent standard normal, at the price of the first; `above_one` promises a >= 1."""

    def draw(key: PRNGKeyArray, parameters: _Arrays) -> _Arrays:
        return _gamma_and_normal(key, parameters[0], above_one)

    gamma, normal = in_chunks(draw, key, (a,))
    return gamma, normal


def _gamma_and_normal(key: PRNGKeyArray, a: Array, above_one: bool) -> tuple[Array, Array]:
    body_key, boost_key = jax.random.split(key)
    if above_one:
        return _gamma_above_one(body_key, a)
    value, normal = _gamma_above_one(body_key, _boosted(a))
    boosted = value * jnp.exp(jnp.log(open_uniform(boost_key, a.shape, a.dtype)) / jnp.where(a > 0, a, 1.0))
    return jnp.where(a < 1, jnp.where(a == 0, 0.0, boosted), value), normal


@jax.jit
def log_gamma_sample(key: PRNGKeyArray, a: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""Logarithm of a Gamma(a, 1) variate for a > 0, $\log G_{a+1} + \log(U)/a$ below a = 1: never -inf."""

    def draw(key: PRNGKeyArray, parameters: _Arrays) -> _Arrays:
        (a,) = parameters
        body_key, boost_key = jax.random.split(key)
        value = jnp.log(_gamma_above_one(body_key, _boosted(a))[0])
        return (jnp.where(a < 1, value + jnp.log(open_uniform(boost_key, a.shape, a.dtype)) / a, value),)

    return in_chunks(draw, key, (a,))[0]


def _boosted(a: Array) -> Array:
    """a + 1 below 1, from which Gamma(a) follows by a power of a uniform."""
    return jnp.where(a < 1, a + 1, a)


def _gamma_above_one(key: PRNGKeyArray, a: Array) -> tuple[Array, Array]:
    """Gamma(a, 1) for a >= 1 (Marsaglia and Tsang 2000), and the unused normal of a pair, independent of it.

    At least 95% of the proposals are accepted.
    """

    def propose(uniforms: _Arrays, parameters: _Arrays) -> tuple[_Arrays, Array]:
        (shape,) = parameters
        d = shape - 1 / 3
        x, spare = _box_muller(uniforms[0], uniforms[1])
        y = x / jnp.sqrt(9 * d)
        positive = y > -1
        y = jnp.where(positive, y, 0.0)
        # log of the acceptance is 3 d (log1p(y) - y + y^2/2 - y^3/3), of order d y^4; its series where it cancels.
        series = jnp.zeros_like(y)
        for k in reversed(range(4, 13)):
            series = series * y + (-1) ** (k + 1) / k
        direct = jnp.log1p(y) - y * (1 - y * (0.5 - y / 3))
        log_accept = 3 * d * jnp.where(jnp.abs(y) < 0.03, series * y**4, direct)
        return (d * (1 + y) ** 3, spare), positive & (uniforms[2] < jnp.exp(log_accept))

    valid = (a >= 1) & (a < jnp.inf)
    gamma, normal = _until_accepted(key, (jnp.where(valid, a, 1.0),), propose, num_uniforms=3, num_values=2)
    return jnp.where(valid, gamma, jnp.nan), normal


@jax.jit
def poisson_sample(key: PRNGKeyArray, mean: Float[Array, "..."]) -> Float[Array, "..."]:
    """Poisson counts as floating-point numbers (a mean of 1e12 overflows integers): inversion below 10, PTRS above."""
    return in_chunks(_poisson, key, (mean,))[0]


def _poisson(key: PRNGKeyArray, parameters: _Arrays) -> _Arrays:
    (mean,) = parameters
    small_key, large_key = jax.random.split(key)
    valid = (mean >= 0) & (mean < jnp.inf)
    large = valid & (mean >= 10)
    # Chunks with means of one kind only pay for one method.
    small_means, large_means = jnp.where(valid & ~large, mean, 1.0), jnp.where(large, mean, 10.0)
    small_counts = jax.lax.cond(
        jnp.any(valid & ~large), _poisson_inversion, lambda _, mean: jnp.zeros_like(mean), small_key, small_means
    )
    large_counts = jax.lax.cond(
        jnp.any(large), _poisson_rejection, lambda _, mean: jnp.zeros_like(mean), large_key, large_means
    )
    counts = jnp.where(large, large_counts, small_counts)
    return (jnp.where(valid, counts, jnp.nan),)


def _poisson_inversion(key: PRNGKeyArray, mean: Array) -> Array:
    """Inversion of the upper tail, cumulated from its far end so that rare counts keep their probability."""
    uniform = open_uniform(key, mean.shape, mean.dtype)
    # N is the number of k >= 1 with uniform <= P(N >= k); beyond the last k that is below a uniform's resolution.
    last = 59 if mean.dtype == jnp.float64 else 39
    terms = [jnp.exp(-mean)]
    for k in range(1, last + 1):
        terms.append(terms[-1] * (mean / k))
    tail, counts = jnp.zeros_like(mean), jnp.zeros_like(mean)
    for term in reversed(terms[1:]):
        tail = tail + term
        counts = counts + (uniform <= tail)
    return counts


def _poisson_rejection(key: PRNGKeyArray, mean: Array) -> Array:
    """Transformed rejection with squeeze (Hormann 1993, PTRS), for means of at least 10."""

    def propose(uniforms: _Arrays, parameters: _Arrays) -> tuple[_Arrays, Array]:
        (m,) = parameters
        u, v = uniforms[0] - 0.5, uniforms[1]
        b = 0.931 + 2.53 * jnp.sqrt(m)
        a = -0.059 + 0.02483 * b
        distance = jnp.maximum(0.5 - jnp.abs(u), jnp.finfo(m.dtype).tiny)
        count = jnp.floor((2 * a / distance + b) * u + m + 0.43)
        quick = (distance >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
        possible = (count >= 0) & ~((distance < 0.013) & (v > distance))
        log_v = jnp.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / distance**2 + b))
        accepted = log_v <= log_poisson(jnp.where(possible, count, 0.0), m)
        return (count,), quick | (possible & accepted)

    return _until_accepted(key, (mean,), propose, num_uniforms=2)[0]


@jax.jit
def bessel_sample(key: PRNGKeyArray, nu: Float[Array, "..."], z: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""Bessel distribution, $P(i) = \frac{(z/2)^{2i+\nu}}{I_\nu(z)\, i!\, \Gamma(i + \nu + 1)}$.

    Its mean is $\frac z2 R_\nu(z)$. Log-concave, so the universal rejection method around the mode serves
    (Devroye 1986, section X.3), at bounded cost for all z.

    Args:
        nu: order above -1.
        z: argument of at least 0; at 0 the law is the point 0.

    Returns:
        Counts as floating-point numbers, broadcast shape. NaN where nu or z is out of range.
    """
    nu, z = jnp.broadcast_arrays(nu, z)
    valid = (nu > -1) & (nu < jnp.inf) & (z >= 0) & (z < jnp.inf)
    positive = valid & (z > 0)
    a, safe = jnp.where(valid, nu + 1, 1.0), jnp.where(positive, z, 1.0)
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

    def propose(uniforms: _Arrays, parameters: _Arrays) -> tuple[_Arrays, Array]:
        a, lower, upper, mode, peak, log_peak = parameters
        width = 1 + peak / 2
        tail = uniforms[0] > width / (1 + width)
        distance = jnp.where(tail, width - jnp.log(uniforms[1]), width * uniforms[1]) / peak
        step = jnp.where(uniforms[2] > 0.5, 1.0, -1.0).astype(a.dtype) * jnp.round(distance)
        index = mode + step
        bound = jnp.minimum(0.0, width - peak * distance)
        possible = index >= 0
        log_ratio = _log_bessel(jnp.where(possible, index, mode), a, lower, upper) - log_peak
        return (index,), possible & (jnp.log(uniforms[3]) + bound <= log_ratio)

    parameters = (a, lower, upper, mode, peak, log_peak)

    def draw(key: PRNGKeyArray, parameters: _Arrays) -> _Arrays:
        return _until_accepted(key, parameters, propose, num_uniforms=4)

    (counts,) = in_chunks(draw, key, parameters)
    return jnp.where(valid, jnp.where(positive, counts, 0.0), jnp.nan)


def _log_bessel(index: Array, a: Array, lower: Array, upper: Array) -> Array:
    """log p_i up to the normalisation, as two Poisson-like terms that meet at the mode."""
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


def _until_accepted(
    key: PRNGKeyArray, parameters: _Arrays, propose: _Proposal, *, num_uniforms: int, num_values: int = 1
) -> _Arrays:
    """Draw for every element until accepted; parameters share one shape and are in the range of the method."""
    shape = parameters[0].shape
    flat = tuple(parameter.reshape(-1) for parameter in parameters)
    size = flat[0].shape[0]

    def once(key: PRNGKeyArray, parameters: _Arrays) -> _Arrays:
        """Proposals, the first array NaN where rejected.

        One array says both, and the barriers end fusions, because the compiler would else compute all for each use.
        """
        uniforms = open_uniform(key, (num_uniforms, *parameters[0].shape), parameters[0].dtype)
        values, accepted = propose(tuple(jax.lax.optimization_barrier(uniforms)), parameters)
        return jax.lax.optimization_barrier((jnp.where(accepted, values[0], jnp.nan), *values[1:]))

    def all_again(state: tuple[PRNGKeyArray, _Arrays]) -> tuple[PRNGKeyArray, _Arrays]:
        key, values = state
        key, step_key = jax.random.split(key)
        missing = jnp.isnan(values[0])
        return key, tuple(jnp.where(missing, new, old) for old, new in zip(values, once(step_key, flat), strict=True))

    def some_again(state: tuple[PRNGKeyArray, _Arrays]) -> tuple[PRNGKeyArray, _Arrays]:
        key, values = state
        key, step_key = jax.random.split(key)
        index = _some_of(jnp.isnan(values[0]))
        source = jnp.minimum(index, size - 1)
        fresh = once(step_key, tuple(parameter[source] for parameter in flat))
        return key, tuple(old.at[index].set(new, mode="drop") for old, new in zip(values, fresh, strict=True))

    if size <= _SMALL:
        missing = jnp.full_like(flat[0], jnp.nan)
        values = jax.lax.while_loop(_unfinished, all_again, (key, (missing,) * num_values))[1]
    else:
        first_key, loop_key = jax.random.split(key)
        values = jax.lax.while_loop(_unfinished, some_again, (loop_key, once(first_key, flat)))[1]
    return tuple(value.reshape(shape) for value in values)


def _unfinished(state: tuple[PRNGKeyArray, _Arrays]) -> Array:
    return jnp.any(jnp.isnan(state[1][0]))


def _some_of(flags: Array) -> Array:
    """Indices of the first _SLOTS flagged elements in each row of 32, the size of `flags` where there are fewer."""
    size = flags.shape[0]
    rows = -(-size // 32)
    grid = jnp.pad(flags, (0, 32 * rows - size)).reshape(rows, 32)
    # A row as the bits of one word: its lowest bit is found and cleared by arithmetic.
    word = (grid.astype(jnp.uint32) << jnp.arange(32, dtype=jnp.uint32)).sum(1, dtype=jnp.uint32)
    first = 32 * jnp.arange(rows, dtype=jnp.int32)
    slots = []
    for _ in range(_SLOTS):
        lowest = word & (~word + jnp.uint32(1))
        lane = jax.lax.population_count(lowest - jnp.uint32(1)).astype(jnp.int32)
        slots.append(jnp.where(word != 0, first + lane, size))
        word = word ^ lowest
    return jnp.concatenate(slots)
