r"""Debye's uniform expansion of $I_\nu(z)$, evaluated at an order where it converges and recurred down to nu.

With $w = \sqrt{\nu^2 + z^2}$ and $t = \nu^2 / w^2$, the logarithm taken term by term,

$$\log I_\nu(z) = w - \nu\,\mathrm{asinh}(\nu/z) - \tfrac12 \log(2 \pi w) + \sum_k E_k(t)\, w^{-k},$$

with polynomials E_k of degree k. It is accurate to rounding once w exceeds a switch point, for small nu too, where it
equals Hankel's expansion for large z. For smaller w it is evaluated at order nu + K, and K steps of Gauss's continued
fraction lead down to nu,

$$R_\nu(z) = \frac{I_{\nu+1}}{I_\nu} = \frac{z}{z R_{\nu+1}(z) + 2 (\nu + 1)},$$

which adds positive numbers only. No loop length depends on the data, so all operations vectorise.
"""

from fractions import Fraction
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Accuracy(NamedTuple):
    """Truncation of the expansion at a precision; its error in log I is 4e-8 in single and 5e-16 in double precision.

    Attributes:
        terms: number of polynomials E_k.
        shift: number K of steps of the recurrence.
        switch: value of w above which the expansion is used at nu itself.
        series_terms: terms of the power series of 0F1 for q up to 1/4.
    """

    terms: int
    shift: int
    switch: float
    series_terms: int


_SINGLE = Accuracy(terms=6, shift=8, switch=16.0, series_terms=5)
_DOUBLE = Accuracy(terms=12, shift=20, switch=40.0, series_terms=10)


class Expansion(NamedTuple):
    """Debye's expansion at order mu = nu or nu + K, and the recurrence back to nu.

    Attributes:
        near: where the recurrence is used, so that mu = nu + K.
        decline: 1 / (mu + w) less R_mu / z.
        start: R_mu / z.
        slope: R_nu / z.
        descent: prod_j (z / 2) / R_{nu+j} over the K steps, times (2 / (mu + w))^K; 1 where there are none.
    """

    near: Array
    mu: Array
    w: Array
    sum_e: Array
    decline: Array
    start: Array
    slope: Array
    descent: Array


def accuracy_of(dtype: jnp.dtype) -> Accuracy:
    """The truncation for a dtype; every dtype but float64 is computed in single precision."""
    return _DOUBLE if dtype == jnp.float64 else _SINGLE


@partial(jax.jit, static_argnums=2)
def expand(a: Array, z: Array, accuracy: Accuracy) -> Expansion:
    """The expansion at order a - 1 for a > 0 and z >= 0 of equal shape and dtype."""
    nu = a - 1
    near = nu * nu + z * z < accuracy.switch**2
    mu = jnp.where(near, a + (accuracy.shift - 1), nu)
    w = jnp.sqrt(jnp.where(near | (z > 0) | (nu > 0), mu * mu + z * z, 1.0))
    x = 1 / w
    t = (mu * x) ** 2
    sum_e, sum_f = _debye_sums(x, t, accuracy.terms)
    decline = x * x * (0.5 + sum_f)
    # R/z = 1/(mu + w) - 1/(2 w^2) - sum_k F_k(t) / w^(k+2), the derivative of the expansion less nu/z.
    start = 1 / (mu + w) - decline
    # R_nu / z = n / d by (n, d) <- (d, z^2 n + 2 (nu + j + 1) d): no division, and d is the product of the z / R.
    scale = 1 / (mu + w)
    square, a_near = jnp.where(near, z * z, 0.0), jnp.where(near, a, 1.0)
    numerator, denominator = start, jnp.ones_like(start)
    for step in reversed(range(accuracy.shift)):
        following = (square * numerator + 2 * (a_near + step) * denominator) * scale
        numerator, denominator = denominator * scale, following
    slope = jnp.where(near, numerator / jnp.where(near, denominator, 1.0), start)
    return Expansion(near, mu, w, sum_e, decline, start, slope, jnp.where(near, denominator, 1.0))


def _debye_sums(x: Array, t: Array, terms: int) -> tuple[Array, Array]:
    """Sums over k of E_k(t) x^k and of F_k(t) x^k, F_k = k E_k + 2 t E_k', by Horner's rule in both variables."""
    sum_e = jnp.zeros_like(x)
    sum_f = jnp.zeros_like(x)
    for k, coefficients in reversed(list(enumerate(debye_coefficients(terms), start=1))):
        e, f = jnp.zeros_like(t), jnp.zeros_like(t)
        for j, coefficient in reversed(list(enumerate(coefficients))):
            e = e * t + float(coefficient)
            f = f * t + float((k + 2 * j) * coefficient)
        sum_e = (sum_e + e) * x
        sum_f = (sum_f + f) * x
    return sum_e, sum_f


@cache
def debye_coefficients(terms: int) -> tuple[tuple[Fraction, ...], ...]:
    r"""Coefficients of E_1..E_terms in powers of t, exact.

    From Debye's polynomials, $U_{k+1}(p) = \frac12 p^2 (1-p^2) U_k' + \frac18 \int_0^p (1 - 5 s^2) U_k\, ds$ (DLMF
    10.41.9), and the logarithm of a power series, $k D_k = k U_k - \sum_{j<k} j D_j U_{k-j}$; then
    $D_k(p) = p^k E_k(p^2)$.
    """
    u: list[dict[int, Fraction]] = [{0: Fraction(1)}]
    logs: list[dict[int, Fraction]] = [{}]
    for k in range(1, terms + 1):
        following: dict[int, Fraction] = {}
        for power, value in u[-1].items():
            rising = Fraction(power, 2) + Fraction(1, 8 * (power + 1))
            falling = Fraction(power, 2) + Fraction(5, 8 * (power + 3))
            following[power + 1] = following.get(power + 1, Fraction(0)) + rising * value
            following[power + 3] = following.get(power + 3, Fraction(0)) - falling * value
        u.append(following)
        logarithm = dict(following)
        for j in range(1, k):
            for p, x in logs[j].items():
                for q, y in u[k - j].items():
                    logarithm[p + q] = logarithm.get(p + q, Fraction(0)) - Fraction(j, k) * x * y
        logs.append(logarithm)
    return tuple(tuple(logs[k].get(k + 2 * j, Fraction(0)) for j in range(k + 1)) for k in range(1, terms + 1))
