r"""Fitting the time warping to losses seen at noise levels that it drew itself (paper, appendix A)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cdcd.config import WarpConfig
from cdcd.time_warping.warp import TimeWarp, WarpLogits, make_warp

# Weights are clipped at this multiple of their mean, so that no single example dominates the fit.
LARGEST_WEIGHT = 1e3


def importance_weights(drawn_by: TimeWarp, t: Float[Array, " batch"]) -> Float[Array, " batch"]:
    r"""$1 / f(t'_i)$, divided by their mean: they undo the sampling by the map, as if t were uniform."""
    weights = 1.0 / drawn_by.density(t)
    return jnp.minimum(weights / weights.mean(), LARGEST_WEIGHT)


def target_loss(warp: TimeWarp, t: Float[Array, " batch"], target: tuple[float, float]) -> Float[Array, " batch"]:
    r"""$\tilde F(t)$, or $Z\, S(F(t))$ for a Beta distribution function S of the parameters (a, b) (paper, section
    6.3).

    $Z = \sum_n \tilde w^u_n$. The loss then follows S as a function of u instead of a straight line.
    """
    if target == (1.0, 1.0):
        return warp.predicted_loss(t)
    # The derivative of S is infinite at 0 and 1 for a or b below 1.
    u = jnp.clip(warp.cdf(t), 1e-6, 1 - 1e-6)
    return warp.losses.sum() * jax.scipy.special.betainc(*target, u)


def fit_loss(
    logits: WarpLogits,
    drawn_by: TimeWarp,
    t: Float[Array, " batch"],
    losses: Float[Array, " batch"],
    config: WarpConfig,
) -> Float[Array, ""]:
    r"""$\mathrm{mean}_i\; w_i\, (\tilde F(t_i) - l_i)^2$; gradients reach the logits only.

    Args:
        logits: that are trained.
        drawn_by: the map that the noise levels were drawn through.
        t: noise levels.
        losses: l, mean cross-entropy of each sequence in nats.
        config: of the map.
    """
    t, losses, drawn_by = jax.lax.stop_gradient((t, losses, drawn_by))
    errors = target_loss(make_warp(logits, config), t, config.target) - losses
    return (importance_weights(drawn_by, t) * jnp.square(errors)).mean()


def average(old: WarpLogits, new: WarpLogits, decay: float) -> WarpLogits:
    """The moving average of the logits, which noise levels are drawn through."""
    return jax.tree.map(lambda kept, value: kept + (1.0 - decay) * (value - kept), old, new)
