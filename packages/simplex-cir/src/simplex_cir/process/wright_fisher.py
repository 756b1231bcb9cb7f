r"""The process on the simplex: Wright-Fisher and Jacobi diffusions.

With $S = \sum_j Y_j$ and $A = \sum_j \alpha_j$, Ito's formula for X = Y / S gives

$$dX_i = \frac bS (\alpha_i - A X_i)\, dt + dM_i, \qquad
d\langle M_i, M_j \rangle = \frac{2b}{S} (X_i 1[i=j] - X_i X_j)\, dt,$$

a Wright-Fisher diffusion in the random time $\tau = \int b / S\, dt$: X alone is not Markov. In the time $\tau$ and for
two categories it is the Jacobi diffusion, whose transition density is a series of Jacobi polynomials.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import gammaln
from jax.typing import ArrayLike
from jaxtyping import Float
from onepaper.config import check_positive
from onepaper.errors import UsageError

from simplex_cir.process.cir import checked_arguments


def to_simplex(y: Float[ArrayLike, "*batch n"]) -> tuple[Float[Array, "*batch n"], Float[Array, "*batch"]]:
    """X = Y / sum Y and the sum S (paper, eq. 10). S is itself the process of shape A.

    NaN where S is 0: for shapes near 0 all draws may underflow. `process.trajectories.trajectories` and
    `process.cir.dirichlet_sample` normalise from logarithms instead.
    """
    y = jnp.asarray(y)
    total = y.sum(-1)
    return y / total[..., None], total


def simplex_drift(
    x: Float[ArrayLike, "*batch n"], total: Float[ArrayLike, "*batch"], alpha: ArrayLike
) -> Float[Array, "*batch n"]:
    r"""Drift $(\alpha_i - A X_i) / S$ of X for speed b = 1."""
    x = jnp.asarray(x)
    alpha = jnp.broadcast_to(jnp.asarray(alpha, x.dtype), x.shape)
    return (alpha - alpha.sum(-1, keepdims=True) * x) / jnp.asarray(total)[..., None]


def simplex_covariance(
    x: Float[ArrayLike, "*batch n"], total: Float[ArrayLike, "*batch"]
) -> Float[Array, "*batch n n"]:
    r"""Covariance $\frac 2S (X_i 1[i=j] - X_i X_j)$ of dX per unit of time, for speed b = 1."""
    x = jnp.asarray(x)
    covariance = jnp.eye(x.shape[-1], dtype=x.dtype) * x[..., None] - x[..., None] * x[..., None, :]
    return 2 * covariance / jnp.asarray(total)[..., None, None]


def jacobi_density(
    value: ArrayLike, start: ArrayLike, alpha: tuple[float, ...], clock: ArrayLike, *, terms: int = 64
) -> Float[Array, "..."]:
    r"""Transition density of $dX = (\alpha_1 - A X) d\tau + \sqrt{2 X (1 - X)}\, dW$ by its spectral series,

    $$f(y|x) = \mathrm{Beta}(y; \alpha_1, \alpha_2) \sum_n e^{-n (n + A - 1) \tau} p_n(x) p_n(y),$$

    with the polynomials p_n orthonormal under Beta(alpha), from their three-term recurrence. The truncation error
    decreases as exp(-terms^2 clock): 64 terms are enough for clock >= 0.01 in float64.

    Args:
        value: y in (0, 1).
        start: x in [0, 1].
        alpha: both shape parameters, above 0.
        clock: tau > 0, the integral of b / S.
        terms: terms of the series.

    Raises:
        UsageError: alpha without two positive entries.
    """
    first, second = _pair(alpha)
    value, start, clock = checked_arguments(None, value=value, start=start, elapsed=clock)
    log_beta = gammaln(first) + gammaln(second) - gammaln(first + second)
    weight = jnp.exp((first - 1) * jnp.log(value) + (second - 1) * jnp.log1p(-value) - log_beta)
    total_alpha = first + second

    def coefficient(n: Array) -> tuple[Array, Array]:
        """Recurrence x p_n = r_{n+1} p_{n+1} + d_n p_n + r_n p_{n-1} of Beta(first, second): d_n and r_{n+1}."""
        p, q = second - 1, first - 1
        twice = 2 * n + p + q
        # At n = 0 the general formula is 0/0 for p + q = 0; the value is the mean of the Beta distribution.
        general = (q * q - p * p) / jnp.where(n == 0, 1.0, twice * (twice + 2))
        diagonal = jnp.where(n == 0, first / total_alpha, (1 + general) / 2)
        k = n + 1
        twice = 2 * k + p + q
        # At k = 1 the factor k + p + q = twice - 1 is cancelled analytically.
        numerator = k * (k + p) * (k + q) * jnp.where(k == 1, 1.0, k + p + q)
        denominator = twice**2 * (twice + 1) * jnp.where(k == 1, 1.0, twice - 1)
        return diagonal, jnp.sqrt(numerator / denominator)

    def step(state: tuple[Array, ...], n: Array) -> tuple[tuple[Array, ...], None]:
        total, x_now, x_before, y_now, y_before, below = state
        total = total + jnp.exp(-n * (n + total_alpha - 1) * clock) * x_now * y_now
        diagonal, above = coefficient(n)
        x_next = ((start - diagonal) * x_now - below * x_before) / above
        y_next = ((value - diagonal) * y_now - below * y_before) / above
        return (total, x_next, x_now, y_next, y_now, above), None

    zero, one = jnp.zeros_like(value), jnp.ones_like(value)
    state = (zero, one, zero, one, zero, jnp.zeros((), value.dtype))
    (total, *_), _ = jax.lax.scan(step, state, jnp.arange(terms, dtype=value.dtype))
    return weight * total


def _pair(alpha: tuple[float, ...]) -> tuple[float, float]:
    if len(alpha) != 2:
        raise UsageError(f"alpha has {len(alpha)} entries, expected 2; the spectral series is for two categories")
    for entry in alpha:
        check_positive("alpha", entry)
    return alpha[0], alpha[1]
