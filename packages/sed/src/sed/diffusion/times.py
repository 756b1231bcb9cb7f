"""Steps of the forward process for training."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray


def low_discrepancy_steps(key: PRNGKeyArray, count: int, steps: int) -> Int[Array, " {count}"]:
    r"""$t_i = 1 + \lfloor T ((u + i / B) \bmod 1) \rfloor$ in random order: each uniform from 1 to T, evenly spread.

    The mean over a batch is unbiased, with less variance than of independent steps (Kingma et al., 2021). The order is
    random, so that t does not depend on the place in the batch.
    """
    key_offset, key_order = jax.random.split(key)
    u = (jax.random.uniform(key_offset) + jnp.arange(count) / count) % 1.0
    t = jnp.minimum(1 + (u * steps).astype(jnp.int32), steps)
    return jax.random.permutation(key_order, t)
