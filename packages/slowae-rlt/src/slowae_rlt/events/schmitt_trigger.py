r"""Schmitt-trigger quantisation: 2k + 1 levels with hysteresis, in forms that give the same integers.

With $u_t = k z_t$ for each channel,

$$q_t = q_{t-1} \text{ if } |u_t - q_{t-1}| \le m, \text{ otherwise } \mathrm{clip}(\mathrm{round}(u_t), -k, k),$$

and $q_1$ is the rounded value. Ties are rounded to even. $m = 1/2$ is plain rounding but at ties. $u$ is not clipped
before the comparison, so that a latent beyond 1 reaches the highest level from the one below it.

Axes: T grid steps, C channels.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from onepaper.config import check_positive
from onepaper.errors import UsageError

# With a margin below this a value between two levels would switch between them at every step.
SMALLEST_MARGIN = 0.5


def check_quantizer(levels: int, margin: float) -> None:
    """Raise `UsageError` unless there is at least one level on each side of zero and 0.5 <= margin < 1.5."""
    check_positive("levels", levels)
    if not SMALLEST_MARGIN <= margin < 1.5:
        raise UsageError(f"margin is {margin}, expected at least 0.5 (plain rounding) and less than 1.5")


class Quantized(NamedTuple):
    """Levels, and the state with which the next part of the same signal goes on."""

    levels: Int[np.ndarray, "T C"]
    state: Int[np.ndarray, " C"]


def quantize(
    z: Float[np.ndarray, "T C"], levels: int, margin: float, state: Int[np.ndarray, " C"] | None = None
) -> Quantized:
    """Levels -k to k of latents, by a loop in NumPy.

    Args:
        z: latents as float32; in the unit in which the highest level is 1.
        levels: k.
        margin: m, in units of the distance of two levels.
        state: of a previous part; None at the beginning of a signal.

    Raises:
        UsageError: a margin that is not allowed, or latents that are not finite.
    """
    check_quantizer(levels, margin)
    u = _scale(z, levels)
    if not np.isfinite(u).all():
        raise UsageError(f"latents are not finite at step {int(np.argmin(np.isfinite(u).all(axis=1)))}")
    rounded = np.rint(u).clip(-levels, levels)
    found = np.empty_like(rounded)
    current = (rounded[0] if state is None else np.asarray(state, np.float32)) if len(u) else np.zeros(z.shape[1])
    limit = np.float32(margin)
    for step in range(len(u)):
        current = np.where(np.abs(u[step] - current) <= limit, current, rounded[step])
        found[step] = current
    return Quantized(found.astype(np.int32), current.astype(np.int32))


def quantize_by_scan(z: Float[Array, "*batch T C"], levels: int, margin: float) -> Int[Array, "*batch T C"]:
    """The same levels by a sequential scan over T, for any batch axes."""
    u = jax.lax.optimization_barrier(_scale(z, levels))
    rounded = jnp.round(u).clip(-levels, levels)
    limit = jnp.float32(margin)

    def step(current: Array, at: tuple[Array, Array]) -> tuple[Array, Array]:
        value, nearest = at
        current = jnp.where(jnp.abs(value - current) <= limit, current, nearest)
        return current, current

    inputs = jnp.moveaxis(u, -2, 0), jnp.moveaxis(rounded, -2, 0)
    _, found = jax.lax.scan(step, inputs[1][0], inputs)
    return jnp.moveaxis(found, 0, -2).astype(jnp.int32)


def quantize_in_parallel(z: Float[Array, "*batch T C"], levels: int, margin: float) -> Int[Array, "*batch T C"]:
    """The same levels in logarithmic depth.

    A step is a map of the 2k + 1 states to states; an associative scan composes maps, as tables of T x (2k + 1).
    """
    u = jax.lax.optimization_barrier(_scale(z, levels))
    rounded = jnp.round(u).clip(-levels, levels)
    states = jnp.arange(-levels, levels + 1, dtype=jnp.float32)
    held = jnp.abs(u[..., None] - states) <= jnp.float32(margin)
    table = jnp.where(held, states, rounded[..., None]).astype(jnp.int32) + levels  # [..., T, C, 2k + 1]

    def compose(first: Array, second: Array) -> Array:
        return jnp.take_along_axis(second, first, axis=-1)

    composed = jax.lax.associative_scan(compose, table, axis=table.ndim - 3)
    start = (rounded[..., :1, :].astype(jnp.int32) + levels)[..., None]
    start = jnp.broadcast_to(start, (*composed.shape[:-1], 1))
    return jnp.take_along_axis(composed, start, axis=-1)[..., 0] - levels


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def straight_through(z: Float[Array, "*batch T C"], levels: int, margin: float) -> Float[Array, "*batch T C"]:
    """Quantised latents q / k, what a decoder reads; the gradient is that of the identity, at held steps too."""
    return quantize_by_scan(z, levels, margin).astype(z.dtype) / levels


@straight_through.defjvp
def _straight_through_jvp(levels: int, margin: float, primals: tuple[Array], tangents: tuple[Array]) -> tuple:
    return straight_through(primals[0], levels, margin), tangents[0]


def _scale(z: Any, levels: int) -> Any:
    # In float32: with fewer bits, values near a threshold would change their level.
    return z.astype(np.float32) * np.float32(levels)
