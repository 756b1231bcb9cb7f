r"""Modified Bessel functions $I_\nu$ of real order, their ratio and ${}_0F_1$, with derivatives in both arguments.

All come from one expansion and one recurrence (`simplex_cir.special.debye`) for z in [0, 1e8] and nu + 1 in
[1e-3, 1e4], in float32 and float64. Errors are a few ulp of the result times its condition number; the tests compare
with 50 digits (mpmath). Derivatives in z use the closed forms, those in nu differentiate the expansion term by term.
"""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import gammaln
from jax.typing import ArrayLike
from jaxtyping import Float
from scipy.special import zeta

from simplex_cir.special.debye import Expansion, accuracy_of, debye_coefficients, expand
from simplex_cir.special.powers import is_zero, quotient

# Below this q = z^2 / 4 the logarithm of 0F1 is that of its power series, a polynomial with derivatives of any order.
SMALL = 0.25


class BesselTerms(NamedTuple):
    r"""Combinations of $I_\nu$ that densities need, free of cancellation.

    Here $\beta = \max(\nu, 0)$ and $w_\beta = \sqrt{\beta^2 + z^2}$.

    Attributes:
        remainder: $\log I_\nu(z) - \nu \log(z/2) - w_\beta + \beta \log((\beta + w_\beta)/2)$, of order log z.
        slope: $R_\nu(z) / z$, finite at z = 0.
        excess: $R_\nu(z) / z - 1 / (\beta + w_\beta)$, of order $z^{-2}$.
    """

    remainder: Array
    slope: Array
    excess: Array


def log_iv(nu: ArrayLike, z: ArrayLike) -> Float[Array, "..."]:
    r"""Logarithm of the modified Bessel function, $\log I_\nu(z)$.

    Args:
        nu: order, above -1, up to 1e4; a - 1 for the transition density (paper, section 2.2).
        z: argument, 0 to 1e8. At 0 the value is -inf, 0 or inf as nu is above, at or below 0.

    Returns:
        Broadcast shape, in the wider dtype of the two. NaN for nu <= -1 or z < 0. Derivatives in nu and z.
    """
    return _log_bessel(False, *_promote(nu, z))


def log_ive(nu: ArrayLike, z: ArrayLike) -> Float[Array, "..."]:
    r"""Exponentially scaled, $\log I_\nu(z) - z$, of order log z for large z. Arguments as for `log_iv`."""
    return _log_bessel(True, *_promote(nu, z))


def bessel_ratio(nu: ArrayLike, z: ArrayLike) -> Float[Array, "..."]:
    r"""$R_\nu(z) = I_{\nu+1}(z) / I_\nu(z)$, the ratio in every score of the process (paper, from eq. 8).

    It rises from 0 at z = 0 to 1 (for nu >= -1/2), and $R' = 1 - R^2 - (2 \nu + 1) R / z$.
    Arguments as for `log_iv`.
    """
    return _ratio(*_promote(nu, z))


@jax.jit
def _ratio(nu: Array, z: Array) -> Array:
    accuracy = accuracy_of(z.dtype)
    expansion = expand(nu + 1, z, accuracy)
    far = _half_angle(jnp.where(expansion.near, accuracy.switch, nu), z) - z * expansion.decline
    return _domain(nu + 1, z, jnp.where(expansion.near, z * expansion.slope, far))


def log_0f1(a: ArrayLike, q: ArrayLike) -> Float[Array, "..."]:
    r"""Confluent hypergeometric limit function, $\log {}_0F_1(; a; q) = \log \sum_k \frac{q^k}{k!\,(a)_k}$.

    It equals $\log \Gamma(a) + \log I_{a-1}(2\sqrt q) - \frac{a-1}{2} \log q$ without the terms that diverge there as
    q -> 0. In the posterior of a token it is the log likelihood ratio (paper, section 2.3, eq. 18).

    Args:
        a: parameter, above 0, up to 1e4.
        q: argument, 0 to 2.5e15 (z = 2 sqrt(q) to 1e8); inf gives inf.

    Returns:
        Broadcast shape, with small relative error as q -> 0. NaN for a <= 0 or q < 0. Derivatives in a and q.
    """
    a, q = _promote(a, q)
    return _log_0f1(a, q)


@jax.jit
def bessel_terms(a: Float[Array, "..."], z: Float[Array, "..."]) -> BesselTerms:
    """The parts of log I and its ratio at order a - 1, for a > 0 and z >= 0 of equal shape and dtype."""
    expansion = expand(a, z, accuracy_of(z.dtype))
    nu = a - 1
    beta = jnp.where(nu >= 0, nu, 0.0)
    w_beta = _hypotenuse(beta, z)
    # Far from the origin and with nu < 0 only the first term below does not vanish, as mu = beta otherwise.
    negative_far = ~expansion.near & (nu < 0)
    z_far = jnp.where(negative_far, z, 1.0)
    w_far = jnp.where(negative_far, expansion.w, 1.0)
    nu_far = jnp.where(negative_far, nu, 0.0)
    leading = -(nu_far + nu_far**2 / (w_far + z_far)) / (z_far * (w_far + nu_far))
    near_scale = jnp.where(expansion.near & (beta + w_beta > 0), beta + w_beta, 1.0)
    excess = jnp.where(expansion.near, expansion.slope - 1 / near_scale, leading - expansion.decline)
    return BesselTerms(_remainder(a, z, expansion), expansion.slope, excess)


@jax.jit
def bessel_remainder(a: Float[Array, "..."], z: Float[Array, "..."]) -> Float[Array, "..."]:
    """The remainder of `BesselTerms` alone."""
    return _remainder(a, z)


def _remainder(a: Array, z: Array, expansion: Expansion | None = None) -> Array:
    """The remainder of `BesselTerms`; every term is of the order of the result."""
    expansion = expand(a, z, accuracy_of(z.dtype)) if expansion is None else expansion
    mu, w, sum_e = expansion.mu, expansion.w, expansion.sum_e
    nu = a - 1
    beta = jnp.where(nu >= 0, nu, 0.0)
    w_beta = _hypotenuse(beta, z)
    # I_nu (z/2)^-nu = I_mu (z/2)^-mu prod_j (z/2) / R_{nu+j}, and (z/2)^-mu brings one 2 / (mu + w) for each factor.
    product = expansion.descent / jnp.sqrt(2 * math.pi * w)
    base = jnp.where((nu >= 0) & (beta + w_beta > 0), beta + w_beta, 2.0)
    # 1 where mu = beta: a rounding error of the two roots would be multiplied by nu.
    ratio = jnp.where(expansion.near | (nu < 0), (mu + w) / base, 1.0)
    return (mu - beta) * (mu + beta) / (w + w_beta) + sum_e + jnp.log(product) - nu * jnp.log(ratio)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
@partial(jax.jit, static_argnums=0)
def _log_bessel(scaled: bool, nu: Array, z: Array) -> Array:
    """log I, less z where `scaled`; near the origin, where it is close to 0, by the power series."""
    positive = z > 0
    safe = jnp.where(positive, z, 1.0)
    origin = (nu <= 0.5) & (z <= 4)
    order, small = jnp.where(origin & (nu > -1), nu, 0.0), jnp.where(origin, safe, 1.0)
    series = _log_0f1_value(order + 1, small * small / 4) + order * jnp.log(small / 2) - _log_gamma_above_one(order)
    value = jnp.where(origin, series - small, _remainder(nu + 1, safe) + _leading(nu, safe))
    if not scaled:
        value = jnp.where(origin, series, value + safe)
    at_zero = jnp.where(nu == 0, 0.0, jnp.where(nu > 0, -jnp.inf, jnp.inf))
    return _domain(nu + 1, z, jnp.where(positive, value, at_zero))


def _log_bessel_jvp(scaled: bool, primals: tuple[Array, Array], tangents: tuple[Any, Any]) -> tuple[Array, Array]:
    (nu, z), (nu_dot, z_dot) = primals, tangents
    value = _log_bessel(scaled, nu, z)
    total = jnp.zeros_like(value)
    positive = z > 0
    safe = jnp.where(positive, z, 1.0)
    if not is_zero(z_dot):
        expansion = expand(nu + 1, z, accuracy_of(z.dtype))
        # For large arguments 1 is subtracted within the expansion: w/z - 1 = nu^2 / (z (w + z)).
        far = nu * nu / (safe * (expansion.w + safe)) - safe * expansion.decline
        close = z * expansion.slope + quotient(nu, z) - scaled
        slope = jnp.where(expansion.near, close, far if scaled else far + 1)
        total = total + jnp.where(positive | (nu == 0), slope, jnp.where(nu > 0, jnp.inf, -jnp.inf)) * z_dot
    if not is_zero(nu_dot):
        _, remainder_dot = jax.jvp(lambda order: _remainder(order + 1, safe), (nu,), (jnp.ones_like(nu),))
        beta = jnp.where(nu >= 0, nu, 0.0)
        leading = jnp.where(nu >= 0, -_log_ratio(beta, safe), jnp.log(safe / 2))
        total = total + jnp.where(positive, remainder_dot + leading, -jnp.inf) * nu_dot
    return value, total


_log_bessel.defjvp(_log_bessel_jvp, symbolic_zeros=True)


@jax.custom_jvp
@jax.jit
def _log_0f1(a: Array, q: Array) -> Array:
    finite = q < jnp.inf
    return _domain(a, q, jnp.where(finite, _log_0f1_value(a, jnp.where(finite, q, 1.0)), jnp.inf))


def _log_0f1_jvp(primals: tuple[Array, Array], tangents: tuple[Any, Any]) -> tuple[Array, Array]:
    (a, q), (a_dot, q_dot) = primals, tangents
    value = _log_0f1(a, q)
    total = jnp.zeros_like(value)
    if not is_zero(q_dot):
        total = total + log_0f1_slope(a, q) * q_dot
    if not is_zero(a_dot):
        _, slope = jax.jvp(lambda parameter: _log_0f1_value(parameter, q), (a,), (jnp.ones_like(a),))
        total = total + slope * a_dot
    return value, total


_log_0f1.defjvp(_log_0f1_jvp, symbolic_zeros=True)


@jax.custom_jvp
@jax.jit
def log_0f1_slope(a: Float[Array, "..."], q: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$\frac{d}{dq} \log {}_0F_1(; a; q) = 2 R_{a-1}(z) / z$ at $z = 2 \sqrt q$; 1/a at q = 0."""
    z = 2 * jnp.sqrt(jnp.clip(q, 0.0, jnp.finfo(q.dtype).max))
    return _domain(a, q, 2 * expand(a, z, accuracy_of(z.dtype)).slope)


def _log_0f1_slope_jvp(primals: tuple[Array, Array], tangents: tuple[Any, Any]) -> tuple[Array, Array]:
    (a, q), (a_dot, q_dot) = primals, tangents
    accuracy = accuracy_of(q.dtype)
    # From F'' q + a F' = F: the slope s of log F obeys s = 1 / (a + q s_{a+1}), one step of the recurrence.
    above = log_0f1_slope(a + 1, q)
    value = 1 / (a + q * above)
    total = jnp.zeros_like(value)
    if not is_zero(q_dot):
        # Riccati, q s' = 1 - a s - q s^2 = q s (s_{a+1} - s), so s' needs no division by q; the difference cancels
        # where z is large, and the expansion is differentiated.
        far = q > (accuracy.switch / 2) ** 2
        z = 2 * jnp.sqrt(jnp.where(far, q, 1.0))
        _, in_z = jax.jvp(lambda z: 2 * expand(a, z, accuracy).slope, (z,), (jnp.ones_like(z),))
        total = total + jnp.where(far, 2 * in_z / z, value * (above - value)) * q_dot
    if not is_zero(a_dot):
        small = q <= SMALL
        z = 2 * jnp.sqrt(jnp.where(small, 1.0, q))
        _, in_a = jax.jvp(lambda parameter: 2 * expand(parameter, z, accuracy).slope, (a,), (jnp.ones_like(a),))
        low = jnp.where(small, q, 0.0)

        def slope(parameter: Array) -> Array:
            return jax.jvp(lambda q: log_0f1_series(parameter, q), (low,), (jnp.ones_like(low),))[1]

        _, in_a_small = jax.jvp(slope, (a,), (jnp.ones_like(a),))
        total = total + jnp.where(small, in_a_small, in_a) * a_dot
    return value, total


log_0f1_slope.defjvp(_log_0f1_slope_jvp, symbolic_zeros=True)


def log_0f1_series(a: Float[Array, "..."], q: Float[Array, "..."]) -> Float[Array, "..."]:
    """log 0F1(; a; q) for 0 <= q <= `SMALL`, by its power series."""
    series = jnp.ones_like(q)
    for k in reversed(range(2, accuracy_of(q.dtype).series_terms + 1)):
        series = 1 + q / (k * (a + (k - 1))) * series
    return jnp.log1p(q / a * series)


@jax.jit
def _log_0f1_value(a: Array, q: Array) -> Array:
    """Three regions: the power series for small q, Debye's expansion less Stirling's where both are accurate, and
    Debye's expansion with log Gamma elsewhere."""
    accuracy = accuracy_of(q.dtype)
    small = q <= SMALL
    z = 2 * jnp.sqrt(jnp.where(small, 1.0, q))
    series = log_0f1_series(a, jnp.where(small, q, 0.0))

    expansion = expand(a, z, accuracy)
    near, mu, w = expansion.near, expansion.mu, expansion.w
    by_stirling = near | (mu >= accuracy.switch / 2)
    safe_mu = jnp.where(by_stirling, mu, accuracy.switch)
    delta = z * z / (w + safe_mu)  # w - mu
    stirling = jnp.zeros_like(mu)
    for coefficients in reversed(debye_coefficients(accuracy.terms)):
        stirling = (stirling + float(sum(coefficients))) / safe_mu
    # 0F1(a) = 0F1(a+1) + q / (a (a+1)) 0F1(a+2) from a + K down, divided by 0F1(a+K); kept less 1 for small q.
    quarter, a_near = jnp.where(near, z * z / 4, 0.0), jnp.where(near, a, 1.0)
    growth, growth_above = jnp.zeros_like(q), 2 * (a_near + accuracy.shift) * expansion.start - 1
    for step in reversed(range(accuracy.shift)):
        increment = quarter / ((a_near + step) * (a_near + (step + 1))) * (1 + growth_above)
        growth, growth_above = growth + increment, growth
    uniform = delta - safe_mu * jnp.log1p(delta / (2 * safe_mu)) - 0.5 * jnp.log1p(delta / safe_mu)
    uniform = uniform + (expansion.sum_e - stirling) + jnp.log1p(growth)

    nu = a - 1
    safe_z = jnp.where(by_stirling, accuracy.switch, z)
    direct = _remainder(a, z, expansion) + _leading(nu, safe_z) - nu * jnp.log(safe_z / 2) + safe_z + gammaln(a)
    return jnp.where(small, series, jnp.where(by_stirling, uniform, direct))


def _log_gamma_above_one(x: Array) -> Array:
    r"""$\log \Gamma(1 + x) = (1 - \gamma) x - \log(1 + x) + \sum_k (\zeta(k) - 1) (-x)^k / k$ for -1 < x <= 1/2.

    Below -1/2 by $\log \Gamma(2 + x) - \log(1 + x)$.
    """
    low = x < -0.5
    reduced = jnp.where(low, x + 1, x)
    series = jnp.zeros_like(x)
    for k in reversed(range(2, 28)):
        series = (float(zeta(k, 2)) / k - series) * reduced
    series = (series + (1 - float(np.euler_gamma))) * reduced - jnp.log1p(reduced)
    return jnp.where(low, series - jnp.log1p(x), series)


def _leading(nu: Array, z: Array) -> Array:
    r"""The terms that `BesselTerms.remainder` leaves out of log I - z: $w - z - \nu \log((\nu + w)/z)$, or $\nu
    \log(z/2)$."""
    beta = jnp.where(nu >= 0, nu, 0.0)
    w = _hypotenuse(beta, z)
    positive = beta * beta / (w + z) - beta * _log_ratio(beta, z)
    return jnp.where(nu >= 0, positive, nu * jnp.log(z / 2))


def _log_ratio(beta: Array, z: Array) -> Array:
    """asinh(beta / z) = log((beta + w) / z) for z > 0, without overflow for tiny z or rounding for large z."""
    w = _hypotenuse(beta, z)
    large = z > beta
    safe = jnp.where(large, z, 1.0)
    by_log1p = jnp.log1p(jnp.where(large, (beta + beta * beta / (w + safe)) / safe, 0.0))
    return jnp.where(large, by_log1p, jnp.log(beta + w) - jnp.log(z))


@jax.custom_jvp
def _half_angle(nu: Array, z: Array) -> Array:
    """z / (nu + w), with a derivative in z free of the cancellation that differentiating the quotient brings."""
    return z / (nu + _hypotenuse(nu, z))


@_half_angle.defjvp
def _half_angle_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (nu, z), (nu_dot, z_dot) = primals, tangents
    value = _half_angle(nu, z)
    w = _hypotenuse(nu, z)
    return value, nu / (w * (nu + w)) * z_dot - value / w * nu_dot


def _hypotenuse(x: Array, y: Array) -> Array:
    """sqrt(x^2 + y^2) with derivative 0 at the origin."""
    square = x * x + y * y
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)


def _domain(a: Array, argument: Array, value: Array) -> Array:
    return jnp.where((a > 0) & (argument >= 0), value, jnp.nan)


def _promote(first: ArrayLike, second: ArrayLike) -> tuple[Array, Array]:
    """Both as float32 or float64 of one shape."""
    first, second = jnp.asarray(first), jnp.asarray(second)
    dtype = jnp.promote_types(jnp.result_type(float, first, second), jnp.float32)
    arrays = jnp.broadcast_arrays(first.astype(dtype), second.astype(dtype))
    return arrays[0], arrays[1]
