r"""Samplers of rectified flow: each is a plain function whose body is the algorithm.

A velocity is a function $v(z, t)$ of latents and one noise level; levels fall from 1 to 0. From a velocity follow the
picture and the noise that it implies, $\hat z_0 = z - t v$ and $\hat\epsilon = z + (1 - t) v$.
"""

import itertools
import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from onepaper.errors import OnePaperError
from torch import Tensor

Latent = Float[Tensor, "batch channels height width"]
Velocity = Callable[[Tensor, float], Tensor]
Noise = Callable[[], Tensor]


def euler(velocity: Velocity, z: Latent, levels: Float[Tensor, " levels"]) -> Latent:
    """The explicit method of order 1: one evaluation a step."""
    for t, after in _pairs(levels):
        z = _checked(z + (after - t) * velocity(z, t), t)
    return z


def heun(velocity: Velocity, z: Latent, levels: Float[Tensor, " levels"]) -> Latent:
    """The explicit trapezoidal rule of order 2: two evaluations a step, and one in the last."""
    for t, after in _pairs(levels):
        v = velocity(z, t)
        if after > 0:
            v = (v + velocity(z + (after - t) * v, after)) / 2
        z = _checked(z + (after - t) * v, t)
    return z


def dpmpp_2m(velocity: Velocity, z: Latent, levels: Float[Tensor, " levels"]) -> Latent:
    r"""DPM-Solver++ (2M) (Lu et al., 2022, algorithm 2) with $\alpha = 1 - t$, $\sigma = t$ and
    $\lambda = \log(\alpha / \sigma)$; of order 1 in the first step, where $\lambda$ is infinite, and in the last."""
    previous, log_ratio = None, math.inf
    for t, after in _pairs(levels):
        predicted = z - t * velocity(z, t)
        step = _log_snr(after) - _log_snr(t)
        direction = predicted
        if previous is not None and after > 0 and math.isfinite(log_ratio):
            weight = step / (2 * log_ratio)
            direction = (1 + weight) * predicted - weight * previous
        z = _checked(after / t * z - (1 - after) * math.expm1(-step) * direction, t)
        previous, log_ratio = predicted, step
    return z


def ancestral(velocity: Velocity, z: Latent, levels: Float[Tensor, " levels"], noise: Noise) -> Latent:
    r"""A step to the implied picture with new noise (Ho et al., 2020, eq. 7, for $\alpha = 1 - t$, $\sigma = t$)."""
    for t, after in _pairs(levels):
        v = velocity(z, t)
        predicted, implied = z - t * v, z + (1 - t) * v
        new = (after / t) ** 2 * (t**2 - ((1 - t) / (1 - after)) ** 2 * after**2)
        z = (1 - after) * predicted + math.sqrt(max(after**2 - new, 0.0)) * implied
        if after > 0:
            z = z + math.sqrt(max(new, 0.0)) * noise()
        z = _checked(z, t)
    return z


def churn(velocity: Velocity, z: Latent, levels: Float[Tensor, " levels"], noise: Noise, amount: float) -> Latent:
    r"""Heun's method from a level that new noise has raised (Karras et al., 2022, algorithm 2).

    With $\sigma = t / (1 - t)$ a step begins at $\hat\sigma = (1 + \gamma) \sigma$, where $\gamma$ is `amount` over the
    number of steps, and at most $\sqrt 2 - 1$; the first step, at infinite $\sigma$, begins where it is.
    """
    pairs = _pairs(levels)
    factor = 1 + min(amount / len(pairs), math.sqrt(2) - 1)
    for t, after in pairs:
        if t < 1:
            deviation = t / (1 - t)
            raised = factor * deviation
            added = math.sqrt(raised**2 - deviation**2)
            z, t = (z / (1 - t) + added * noise()) / (1 + raised), raised / (1 + raised)  # noqa: PLW2901
        z = heun(velocity, z, torch.tensor([t, after], dtype=torch.float64))
    return z


def _pairs(levels: Float[Tensor, " levels"]) -> list[tuple[float, float]]:
    values = levels.tolist()
    return list(itertools.pairwise(values))


def _log_snr(t: float) -> float:
    return math.inf if t <= 0 else -math.inf if t >= 1 else math.log((1 - t) / t)


def _checked(z: Tensor, t: float) -> Tensor:
    if not torch.isfinite(z).all():
        raise OnePaperError(f"the latents are not finite after noise level {t:.4f}; use a lower guidance or fp32")
    return z
