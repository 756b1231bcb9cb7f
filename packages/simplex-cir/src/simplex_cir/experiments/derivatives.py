"""Derivatives by automatic differentiation against differences of the defining series in 60 digits, at special values.

Special values are those where a formula in floating point divides by zero or selects a branch: shape 1, order 0, start
0, argument 0, and neighbours of them.
"""

import itertools
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from simplex_cir.experiments.closed_forms import Check
from simplex_cir.process.bridge import bridge_log_prob, bridge_mean
from simplex_cir.process.cir import dirichlet_log_prob, transition_cdf, transition_log_prob
from simplex_cir.special.bessel import bessel_ratio, log_0f1, log_iv

# Differences are taken in this many digits, with a step of the third root of the rounding.
DIGITS, STEP = 60, 1e-18


class Case(NamedTuple):
    """A function, the same from its definition, and where both are compared.

    Attributes:
        what: the function in words.
        function: of numbers.
        reference: the same in mpmath.
        points: arguments.
        at_zero: indices of the arguments that may be 0, at which differences are one-sided.
    """

    what: str
    function: Callable[..., Any]
    reference: Callable[..., Any]
    points: tuple[tuple[float, ...], ...]
    at_zero: tuple[int, ...] = ()


def _log_0f1(a: Any, q: Any) -> Any:
    import mpmath as mp

    return mp.log(mp.hyp0f1(a, q))


def _log_iv(nu: Any, z: Any) -> Any:
    import mpmath as mp

    return nu * mp.log(z / 2) - mp.loggamma(nu + 1) + _log_0f1(nu + 1, z * z / 4)


def _ratio(nu: Any, z: Any) -> Any:
    import mpmath as mp

    return z / (2 * (nu + 1)) * mp.hyp0f1(nu + 2, z * z / 4) / mp.hyp0f1(nu + 1, z * z / 4)


def _transition(y: Any, x: Any, a: Any, t: Any) -> Any:
    import mpmath as mp

    return _without_power(y, x, a, t) + (a - 1) * mp.log(y)


def _without_power(y: Any, x: Any, a: Any, t: Any) -> Any:
    """The log density without its term (a - 1) log y, which cancels at the end of a bridge."""
    import mpmath as mp

    noise, kappa = 1 - mp.exp(-t), mp.exp(-t)
    return _log_0f1(a, kappa * x * y / noise**2) - (y + kappa * x) / noise - a * mp.log(noise) - mp.loggamma(a)


def _distribution(y: Any, x: Any, a: Any, t: Any) -> Any:
    import mpmath as mp

    noise, kappa = 1 - mp.exp(-t), mp.exp(-t)
    mean = kappa * x / noise
    terms = (mean**k / mp.factorial(k) * mp.gammainc(a + k, 0, y / noise, regularized=True) for k in range(60))
    return mp.exp(-mean) * mp.fsum(terms)


def _bridge(u: Any, x: Any, w: Any, a: Any, before: Any, after: Any) -> Any:
    return _transition(u, x, a, before) + _without_power(w, u, a, after) - _without_power(w, x, a, before + after)


def _bridge_mean(x: Any, w: Any, a: Any, before: Any, after: Any) -> Any:
    import mpmath as mp

    first, second = mp.exp(-before), mp.exp(-after)
    rate = 1 / (1 - first) + second / (1 - second)
    p, q = first * x / (1 - first) ** 2 / rate, second * w / (1 - second) ** 2 / rate
    return (a + p + q + 2 * p * q / a * mp.hyp0f1(a + 1, p * q) / mp.hyp0f1(a, p * q)) / rate


def _dirichlet(*arguments: Any) -> Any:
    import mpmath as mp

    x, alpha = arguments[:3], arguments[3:]
    powers = (mp.log(v) * (s - 1) - mp.loggamma(s) for v, s in zip(x, alpha, strict=True))
    return mp.loggamma(mp.fsum(alpha)) + mp.fsum(powers)


def _dirichlet_of_numbers(*arguments: jax.Array) -> jax.Array:
    return dirichlet_log_prob(jnp.stack(arguments[:3]), jnp.stack(arguments[3:]))


_SHAPES = (0.3, 1.0, 1.0 + 1e-7, 2.5)


def _product(*values: tuple[float, ...]) -> tuple[tuple[float, ...], ...]:
    return tuple(itertools.product(*values))


LOG_0F1 = Case("log 0F1", log_0f1, _log_0f1, _product((0.3, 1.0, 60.0), (0.0, 1e-9, 0.25, 3.0, 900.0)), (1,))
LOG_I = Case("log I", log_iv, _log_iv, _product((-0.4, 0.0, 1e-7, 2.0), (1e-3, 1.0, 30.0, 60.0)))
RATIO = Case("ratio of I", bessel_ratio, _ratio, _product((-0.4, 0.0, 50.0), (0.0, 1e-6, 1.0, 60.0)), (1,))
DIRICHLET = Case(
    "Dirichlet density",
    _dirichlet_of_numbers,
    _dirichlet,
    ((0.2, 0.3, 0.5, 1.0, 2.0, 0.5), (0.2, 0.3, 0.5, 1.0, 1.0, 1.0), (1e-9, 0.4, 0.6, 1.0, 1e-2, 40.0)),
)
TRANSITION = Case(
    "log density",
    transition_log_prob,
    _transition,
    _product((1e-3, 0.4, 9.0), (0.0, 1e-9, 0.3, 4.0), _SHAPES, (0.1, 0.5, 3.0)),
    (1,),
)
DISTRIBUTION = Case(
    "distribution function",
    transition_cdf,
    _distribution,
    _product((0.4, 2.0), (0.0, 1.3), (0.3, 1.0, 2.5), (0.5,)),
    (1,),
)
BRIDGE = Case(
    "bridge density",
    bridge_log_prob,
    _bridge,
    _product((0.4, 2.0), (0.0, 0.7), (0.0, 1.3), (0.3, 1.0, 2.5), (0.3,), (0.5,)),
    (1, 2),
)
BRIDGE_MEAN = Case(
    "bridge mean", bridge_mean, _bridge_mean, _product((0.0, 0.7), (0.0, 1.3), _SHAPES, (0.3,), (0.5,)), (0, 1)
)
CASES = (LOG_0F1, LOG_I, RATIO, DIRICHLET, TRANSITION, DISTRIBUTION, BRIDGE, BRIDGE_MEAN)


@cache
def derivative_errors(case: Case) -> tuple[float, float]:
    """Largest errors of first and second derivatives in all arguments, relative to the larger of the value and 1."""
    count = len(case.points[0])
    columns = tuple(jnp.asarray(column) for column in zip(*case.points, strict=True))
    pairs = [*itertools.combinations_with_replacement(range(count), 2)]
    rows, columns_of = (jnp.eye(count)[jnp.array(index)] for index in zip(*pairs, strict=True))

    def along(arguments: tuple[jax.Array, ...], first: jax.Array, second: jax.Array) -> Any:
        def slope(*arguments: jax.Array) -> jax.Array:
            return jax.jvp(case.function, arguments, tuple(first))[1]

        return jax.jvp(slope, arguments, tuple(second))

    over_pairs = jax.vmap(along, (None, 0, 0))
    # Derivatives are compiled for longer than they are computed.
    both = jax.jit(jax.vmap(over_pairs, (0, None, None)), compiler_options={"xla_backend_optimization_level": 0})
    slopes, curvatures = (np.asarray(values) for values in both(columns, rows, columns_of))
    first = second = 0.0
    for index, point in enumerate(case.points):
        for number, pair in enumerate(pairs):
            if pair[0] == pair[1]:
                first = max(first, _error(slopes[index, number], difference(case, point, pair[:1])))
            second = max(second, _error(curvatures[index, number], difference(case, point, pair)))
    return first, second


def _error(got: float, expected: float) -> float:
    error = abs(float(got) - expected) / max(abs(expected), 1.0)
    return error if np.isfinite(error) else float("inf")


def difference(case: Case, point: tuple[float, ...], along: tuple[int, ...]) -> float:
    """The derivative of the reference along arguments, by differences of second order."""
    import mpmath as mp

    with mp.workdps(DIGITS):
        step = mp.mpf(STEP)

        def slope(arguments: tuple[Any, ...], remaining: tuple[int, ...]) -> Any:
            if not remaining:
                return case.reference(*arguments)
            index, rest = remaining[0], remaining[1:]
            shifts = (0, 1, 2) if point[index] == 0 and index in case.at_zero else (-1, 0, 1)
            weights = (-1.5, 2.0, -0.5) if shifts[0] == 0 else (-0.5, 0.0, 0.5)
            total = mp.mpf(0)
            for shift, weight in zip(shifts, weights, strict=True):
                if weight:
                    moved = (*arguments[:index], arguments[index] + shift * step, *arguments[index + 1 :])
                    total += weight * slope(moved, rest)
            return total / step

        return float(slope(tuple(mp.mpf(value) for value in point), along))


def _error_of(case: Case, order: int) -> float:
    return derivative_errors(case)[order]


# Only where mpmath is installed.
DERIVATIVES = tuple(
    Check(f"{case.what}, {name} derivatives", f"mpmath, {DIGITS} digits", partial(_error_of, case, order), bound)
    for case in CASES
    for order, (name, bound) in enumerate((("first", 1e-10), ("second", 1e-8)))
)
