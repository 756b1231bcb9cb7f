r"""Noise levels t of rectified flow: 0 is a picture, 1 is noise, $z_t = (1 - t) z_0 + t \epsilon$.

Densities of the training and the resolution shift are those of Esser et al. (2024), sections 3.1 and 5.3.2.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from imagen3.config import ObjectiveConfig


def noise_levels(u: Float[Tensor, " batch"], config: ObjectiveConfig) -> Float[Tensor, " batch"]:
    r"""Noise levels with the density of a configuration, from uniform numbers.

    * logit-normal: $t = \mathrm{sigmoid}(m + s \Phi^{-1}(u))$
    * mode: $t = 1 - u - s (\cos^2(\pi u / 2) - 1 + u)$
    * cosmap: $t = 1 - 1 / (\tan(\pi u / 2) + 1)$
    """
    if config.density == "logit-normal":
        inside = u.clamp(1e-6, 1 - 1e-6)
        t = torch.sigmoid(config.location + config.scale * torch.special.ndtri(inside))
    elif config.density == "mode":
        t = 1 - u - config.scale * (torch.cos(math.pi * u / 2).square() - 1 + u)
    elif config.density == "cosmap":
        t = 1 - 1 / (torch.tan(math.pi * u / 2) + 1)
    else:
        t = u
    return shift_levels(t, config.shift)


def shift_levels(t: Float[Tensor, "*batch"], alpha: float) -> Float[Tensor, "*batch"]:
    r"""$\alpha t / (1 + (\alpha - 1) t)$: the level at which $\alpha^2$ times as many pixels are equally uncertain."""
    # Of the equal forms of the denominator, this one is exact at t = 0 and t = 1.
    return alpha * t / ((1 - t) + alpha * t)


def step_levels(steps: int, alpha: float = 1.0) -> Float[Tensor, " levels"]:
    """The `steps + 1` levels of a sampler, from 1 to 0, in double precision."""
    return shift_levels(torch.linspace(1.0, 0.0, steps + 1, dtype=torch.float64), alpha)
