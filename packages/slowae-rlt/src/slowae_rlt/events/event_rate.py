r"""The average event rate, and the controller that keeps it at a target by the weight of the slowness penalty."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from slowae_rlt.config import ControllerConfig


def count_changes(levels: Int[Array, "*batch T C"]) -> Int[Array, "*batch"]:
    """Number of changes of level, summed over channels; the first levels of each channel are not counted."""
    return (levels[..., 1:, :] != levels[..., :-1, :]).sum(axis=(-2, -1))


def average_event_rate(levels: Int[np.ndarray, "T C"], grid_rate: float) -> float:
    r"""$\frac{f_z}{T - 1} \sum_{t \ge 2} \sum_c [q_{t,c} \ne q_{t-1,c}]$, events a second; 0 below two steps."""
    steps = len(levels) - 1
    return float((levels[1:] != levels[:-1]).sum() * grid_rate / steps) if steps > 0 else 0.0


class ControllerState(NamedTuple):
    """The weight of the penalty, and the smoothed event rate by which it moves."""

    weight: Float[Array, ""]
    rate: Float[Array, ""]


def update_weight(state: ControllerState, rate: Float[Array, ""], config: ControllerConfig) -> ControllerState:
    r"""One step: $\lambda \leftarrow \lambda (1 + \delta)^{\pm 1}$ where the smoothed rate is outside of the band
    $R_T (1 \pm \epsilon)$, within the limits of the weight.

    Args:
        state: weight and smoothed rate; a negative smoothed rate stands for none yet.
        rate: events a second in the batch: a ratio of sums over all recordings, not a mean of ratios.
        config: target and constants; with a target of 0 the weight stays.
    """
    decay = config.rate_decay
    smoothed = jnp.where(state.rate < 0, rate, decay * state.rate + (1 - decay) * rate)
    if not config.target_rate:
        return ControllerState(state.weight, smoothed)
    above = smoothed > (1 + config.tolerance) * config.target_rate
    below = smoothed < (1 - config.tolerance) * config.target_rate
    factor = jnp.where(above, 1 + config.step, jnp.where(below, 1 / (1 + config.step), 1.0))
    return ControllerState((state.weight * factor).clip(config.smallest, config.largest), smoothed)
