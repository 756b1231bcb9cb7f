r"""The process as a sum of squared Ornstein-Uhlenbeck processes, when 2a is an integer (paper, section 2.3).

For independent $dX_i = -\frac b2 X_i\, dt + \sqrt{b/2}\, dW_i$, i = 1..d, the sum $Y = \sum_i X_i^2$ is the process
of shape a = d/2. It takes d normals where the exact transition takes one draw, and it cannot become negative.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, PRNGKeyArray
from onepaper.errors import UsageError

from simplex_cir.process.cir import checked_arguments, time_steps


def squared_ou_sample(
    key: PRNGKeyArray, start: ArrayLike, num_components: int | float, elapsed: ArrayLike
) -> Float[Array, "..."]:
    """Draws of Y_t given Y_0 = start from the components; the transition has the shape a = num_components / 2.

    Args:
        start: Y_0 >= 0, assigned to the first component; only the sum matters.
        num_components: d = 2a >= 1.
        elapsed: time times speed, 0 to inf.

    Raises:
        UsageError: num_components that is not 1, 2, ..., a negative start or time.
    """
    start, elapsed = checked_arguments(None, start=start, elapsed=elapsed)
    return (ou_step(key, _components(start, num_components), elapsed) ** 2).sum(0)


def squared_ou_path(
    key: PRNGKeyArray, start: ArrayLike, num_components: int | float, grid: Float[ArrayLike, " times"]
) -> Float[Array, "times ..."]:
    """The sum along a path, exact at every time of the increasing `grid`, whose first entry is the time of `start`."""
    (start,) = checked_arguments(None, start=start)
    steps = time_steps(grid).astype(start.dtype)
    components = _components(start, num_components)

    def advance(state: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        state = ou_step(inputs[0], state, inputs[1])
        return state, (state**2).sum(0)

    _, path = jax.lax.scan(advance, components, (jax.random.split(key, len(steps)), steps))
    return jnp.concatenate([start[None], path])


def ou_step(
    key: PRNGKeyArray, components: Float[Array, "d ..."], elapsed: Float[Array, "..."]
) -> Float[Array, "d ..."]:
    r"""One exact step of the components, $X_t = \sqrt\kappa X_0 + \sqrt{(1 - \kappa)/2}\, \xi$."""
    noise = jax.random.normal(key, jnp.broadcast_shapes(components.shape, jnp.shape(elapsed)), components.dtype)
    return components * jnp.exp(-elapsed / 2) + jnp.sqrt(-jnp.expm1(-elapsed) / 2) * noise


def _components(start: Array, num_components: int | float) -> Array:
    if num_components < 1 or num_components != int(num_components):
        raise UsageError(f"num_components is {num_components}, expected a whole number of at least 1: twice the shape")
    return jnp.zeros((int(num_components), *start.shape), start.dtype).at[0].set(jnp.sqrt(start))
