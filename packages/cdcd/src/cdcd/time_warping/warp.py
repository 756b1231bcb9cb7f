r"""`TimeWarp`: a monotonic piecewise linear map $F$ from noise levels $t$ to $u \in [0, 1]$ (paper, appendix A).

With $t' = (t - t_{min}) / (t_{max} - t_{min})$, bins of sizes $w^t_n$ and $w^u_n$ and their cumulative sums $e^t_n$ and
$e^u_n$, $F(t') = e^u_n + (t' - e^t_n)\, w^u_n / w^t_n$ in the bin n that holds $t'$. The same bins without
normalisation of the outputs, $\tilde w^u_n$, give $\tilde F$, which estimates the loss. All of it is float32.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from cdcd.config import WarpConfig


class WarpLogits(NamedTuple):
    r"""The trained parameters $l^t$ and $l^u$; their exponentials are sizes of input and output bins."""

    inputs: Float[Array, " bins"]
    outputs: Float[Array, " bins"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TimeWarp:
    """The map, as a pytree; `make_warp` makes it from logits.

    Attributes:
        inputs: sizes of the input bins, with sum 1.
        outputs: sizes of the output bins, with sum 1.
        losses: sizes of the output bins in nats.
        t_min: noise level of u = 0.
        t_max: noise level of u = 1.
        log_domain: whether the input axis is ln t instead of t.
    """

    inputs: Float[Array, " bins"]
    outputs: Float[Array, " bins"]
    losses: Float[Array, " bins"]
    t_min: float = field(metadata={"static": True})
    t_max: float = field(metadata={"static": True})
    log_domain: bool = field(default=False, metadata={"static": True})

    def position(self, t: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """t', the noise level on the input axis, from 0 to 1."""
        if self.log_domain:
            return (jnp.log(t) - np.log(self.t_min)) / np.log(self.t_max / self.t_min)
        return (t - self.t_min) / (self.t_max - self.t_min)

    def noise_level(self, position: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """The inverse of `position`."""
        if self.log_domain:
            found = self.t_min * jnp.exp(position * np.log(self.t_max / self.t_min))
        else:
            found = self.t_min + position * (self.t_max - self.t_min)
        return jnp.clip(found, self.t_min, self.t_max)

    def cdf(self, t: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """F(t), from 0 at t_min to 1 at t_max (paper, eq. 12)."""
        return _interpolate(self.position(t), self.inputs, self.outputs, 1.0)

    def inverse(self, u: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """The noise level of u: F with the two axes exchanged."""
        return self.noise_level(_interpolate(u, self.outputs, self.inputs, 1.0))

    def density(self, t: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        r"""$f = w^u_n / w^t_n$, the density of $t'$ when u is uniform."""
        number = _bin(self.position(t), _edges(self.inputs, 1.0))
        return self.outputs[number] / self.inputs[number]

    def predicted_loss(self, t: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        r"""$\tilde F(t)$ in nats; 0 at t_min by construction."""
        return _interpolate(self.position(t), self.inputs, self.losses, None)

    def tempered(self, temperature: float) -> "TimeWarp":
        r"""The map with $w'^u_n \propto w^u_n (w^u_n / w^t_n)^{1/T - 1}$ (paper, eq. 15); T = inf is the identity."""
        outputs = self.outputs * (self.outputs / self.inputs) ** (1.0 / temperature - 1.0)
        return replace(self, outputs=outputs / outputs.sum())

    def mixed(self, uniformity: float) -> "TimeWarp":
        r"""The map with $\bar w^u_n = (1 - \mu) w^u_n + \mu w^t_n$ (paper, eq. 16); $\mu = 1$ is the identity."""
        return replace(self, outputs=(1.0 - uniformity) * self.outputs + uniformity * self.inputs)


def make_warp(logits: WarpLogits, config: WarpConfig) -> TimeWarp:
    """The map of these logits; every bin has at least a small size, which keeps it invertible.

    Args:
        logits: of any finite values.
        config: range of noise levels, smallest size of a bin and where it is added.
    """
    inputs = _floored(jax.nn.softmax(logits.inputs), config.floor)
    losses = jnp.exp(logits.outputs) + config.floor
    if config.floor_mode == "joint":
        outputs = losses / losses.sum()
    else:
        outputs = _floored(jax.nn.softmax(logits.outputs), config.floor)
    return TimeWarp(inputs, outputs, losses, config.t_min, config.t_max, config.domain == "log")


def manipulate(warp: TimeWarp, temperature: float = 1.0, uniformity: float = 0.0) -> TimeWarp:
    """Temperature first, then uniformity; unchanged for 1 and 0."""
    warp = warp if temperature == 1.0 else warp.tempered(temperature)
    return warp if uniformity == 0.0 else warp.mixed(uniformity)


def initial_logits(
    config: WarpConfig, curve: tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]] | None = None
) -> WarpLogits:
    r"""Logits of the identity, all $-\ln N$, or of a map that follows a loss.

    Args:
        config: number of bins and range of noise levels.
        curve: noise levels and the loss there; bins then hold equal parts of the loss. None: the identity.
    """
    bins = config.bins
    if curve is None:
        return WarpLogits(*(jnp.full(bins, -np.log(bins), jnp.float32) for _ in range(2)))
    levels, losses = curve
    rising = np.maximum.accumulate(losses)
    parts = (rising - rising[0]) / (rising[-1] - rising[0])
    steepest = parts + 1e-6 * np.linspace(0, 1, len(parts))  # strictly increasing, for the inverse
    edges = np.interp(np.linspace(0, steepest[-1], bins + 1), steepest, levels)
    edges[0], edges[-1] = config.t_min, config.t_max
    axis = np.log(edges) if config.domain == "log" else edges
    sizes = np.maximum(np.diff(axis) / (axis[-1] - axis[0]), 1e-9)
    inputs = jnp.asarray(np.log(sizes), jnp.float32)
    return WarpLogits(inputs, jnp.full(bins, np.log(rising[-1] / bins), jnp.float32))


def _floored(sizes: Array, floor: float) -> Array:
    return (sizes + floor) / (sizes + floor).sum()


def _edges(sizes: Array, last: float | None) -> Array:
    edges = jnp.cumsum(sizes)
    # No `.at[-1].set`: in XLA (jax 0.10.2) it changes another element too, where the sizes are sharded over devices.
    end = edges[-1:] if last is None else jnp.full(1, last, sizes.dtype)
    return jnp.concatenate([jnp.zeros(1, sizes.dtype), edges[:-1], end])


def _bin(x: Array, edges: Array) -> Array:
    return jnp.clip(jnp.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)


def _interpolate(x: Array, sizes_from: Array, sizes_to: Array, last: float | None) -> Array:
    """Piecewise linear from bins of one axis to those of the other; the last edge is `last`, or the sum."""
    edges_from, edges_to = _edges(sizes_from, 1.0), _edges(sizes_to, last)
    number = _bin(x, edges_from)
    low, high = edges_from[number], edges_from[number + 1]
    inside = jnp.clip((x - low) / (high - low), 0.0, 1.0)
    return edges_to[number] + inside * (edges_to[number + 1] - edges_to[number])
