r"""Penalties on changes of the latents over time, and the bound without which they could be scaled away.

With $d_{t,c} = z_{t,c} - z_{t-1,c}$; the names of the penalties are the authors', the normalisation is ours.
Axes: T grid steps, C channels.
"""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

Penalty = Literal["group", "l1", "l2", "l4"]
PENALTIES: tuple[Penalty, ...] = ("group", "l1", "l2", "l4")

# Below this change per step the group penalty is quadratic, so that its gradient at no change is 0.
SMOOTHING = 1e-6


def slowness(
    z: Float[Array, "*batch T C"],
    penalty: Penalty | float = "group",
    *,
    group_axis: Literal["channels", "time"] = "channels",
) -> Float[Array, "*batch"]:
    r"""Mean change per step, in float32; 0 for fewer than two steps.

    - group: $\frac{1}{T-1} \sum_t \sqrt{\frac{1}{C} \sum_c d_{t,c}^2}$, which makes channels change together; with
      `group_axis` "time" it is $\frac1C \sum_c \sqrt{\frac{1}{T-1}\sum_t d_{t,c}^2}$.
    - lp, or a number p: $\frac{1}{C (T-1)} \sum_{t,c} |d_{t,c}|^p$.

    Args:
        z: latents before quantisation.
        penalty: "group", "l1", "l2", "l4", or any exponent of at least 1.
        group_axis: which changes make one group.
    """
    changes = jnp.diff(z.astype(jnp.float32), axis=-2)
    if not changes.shape[-2]:
        return jnp.zeros(z.shape[:-2])
    if penalty == "group":
        axis = -1 if group_axis == "channels" else -2
        norms = jnp.sqrt(jnp.square(changes).mean(axis=axis) + SMOOTHING**2) - SMOOTHING
        return norms.mean(axis=-1)
    power = float(penalty.removeprefix("l")) if isinstance(penalty, str) else penalty
    # JAX takes the slope of |d| at 0 to be 1.
    return (jnp.where(changes == 0, 0.0, jnp.abs(changes)) ** power).mean(axis=(-2, -1))


def margin_loss(z: Float[Array, "*batch T C"]) -> Float[Array, "*batch"]:
    r"""Mean of $\max(|z| - 1, 0)^2$, which keeps latents between -1 and 1 (Donahue et al., 2019)."""
    return jnp.square(jnp.maximum(jnp.abs(z.astype(jnp.float32)) - 1.0, 0.0)).mean(axis=(-2, -1))
