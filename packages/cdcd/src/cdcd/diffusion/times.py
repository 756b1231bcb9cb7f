"""Uniform variables of low discrepancy for training, and noise levels of the steps of a sampler."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from cdcd.config import SamplingOptions
from cdcd.time_warping.warp import TimeWarp


def low_discrepancy(key: PRNGKeyArray, count: int) -> Float[Array, " {count}"]:
    r"""$u_i = (u_0 + i / B) \bmod 1$ in random order: each is uniform, and neighbours are 1/B apart (paper, section
    6.1).

    The order is random, so that u does not depend on the place in the batch.
    """
    key_offset, key_order = jax.random.split(key)
    u = (jax.random.uniform(key_offset) + jnp.arange(count) / count) % 1.0
    return jax.random.permutation(key_order, u)


def karras_times(t_min: float, t_max: float, steps: int, rho: float) -> Float[Array, " {steps}+1"]:
    r"""$t_i = (t_{max}^{1/\rho} + \frac{i}{N} (t_{min}^{1/\rho} - t_{max}^{1/\rho}))^\rho$ (Karras et al., 2022)."""
    parts = jnp.arange(steps + 1) / steps
    times = (t_max ** (1 / rho) + parts * (t_min ** (1 / rho) - t_max ** (1 / rho))) ** rho
    return times.at[0].set(t_max).at[-1].set(t_min)


def step_times(warp: TimeWarp, options: SamplingOptions) -> Float[Array, " steps+1"]:
    """Noise levels from t_max to t_min (paper, section 6.4).

    Args:
        warp: the time warping, and with it the range.
        options: number of steps and their spacing.
    """
    steps = options.steps
    if options.spacing == "warped":
        return warp.inverse(1.0 - jnp.arange(steps + 1) / steps)
    times = karras_times(warp.t_min, warp.t_max, steps, options.rho)
    if options.spacing == "karras":
        return times
    return warp.inverse((times - warp.t_min) / (warp.t_max - warp.t_min))
