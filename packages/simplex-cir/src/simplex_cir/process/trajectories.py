"""Paths of the process and of its normalised vector by exact transitions."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from simplex_cir.random.variates import log_gamma_sample, poisson_sample


def trajectories(
    key: PRNGKeyArray, start: Float[Array, "paths n"], a: Float[Array, " n"], elapsed: float, steps: int
) -> tuple[Float[Array, "paths levels n"], Float[Array, "paths levels n"]]:
    """Paths of the process and of its normalised vector by exact transitions (paper, eqs. 7 to 10).

    Points are at `steps` + 1 evenly spaced times.

    Draws are logarithms: for shapes near 0 all coordinates of a vector may underflow, where their ratios are still
    accurate.

    Args:
        start: Y_0, entries >= 0, at least one of them positive.
        a: stationary shapes.
        elapsed: b t of the last point.
        steps: transitions.

    Returns:
        Y and X = Y / sum Y.
    """
    kappa, lost = jnp.exp(-elapsed / steps), -jnp.expm1(-elapsed / steps)

    def step(log_y: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
        count_key, gamma_key = jax.random.split(key)
        counts = poisson_sample(count_key, kappa / lost * jnp.exp(log_y))
        log_y = jnp.log(lost) + log_gamma_sample(gamma_key, a + counts)
        return log_y, log_y

    log_start = jnp.log(start)
    _, path = jax.lax.scan(step, log_start, jax.random.split(key, steps))
    log_path = jnp.moveaxis(jnp.concatenate([log_start[None], path]), 0, 1)
    return jnp.exp(log_path), jax.nn.softmax(log_path, axis=-1)
