r"""Evaluation of a network at the levels of a sampler, which may differ from those of its training.

Samplers here use $x = \sqrt{\bar\alpha_t}\, x_0 + \sigma_t \epsilon$. A network may have been trained on other levels,
or on straight lines $z = (1 - s)\, x_0 + s\, \epsilon$ (flow matching). For equal signal-to-noise ratio both are the
same noised data up to a factor, so the network is evaluated there and its output converted to a noise prediction.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from onepaper.config import check_choice
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.diffusion import NoiseSchedule

NetworkPrediction = Literal["eps", "v", "x0", "flow"]

NETWORK_PREDICTIONS = ("eps", "v", "x0", "flow")
MATCHES = ("snr", "exact")
# Largest difference in log SNR of equal levels; neighbours among a thousand levels differ by more.
EXACT_TOLERANCE = 1e-3
# Signal fraction of a level of pure noise: the smallest float16, as in the schedulers of diffusers.
SMALLEST_SIGNAL = 2.0**-24


@dataclass(frozen=True, eq=False)
class TrainedLevels:
    """Noise levels and prediction of a trained network.

    Attributes:
        prediction: "eps", "v" or "x0" of a network with discrete times; "flow" (epsilon - x0) in continuous time.
        schedule: default levels of a sampler.
        own: all levels of a network with discrete times, level t being its time t; for "flow", None.
        num_train_timesteps: time step of pure noise of a flow network.
        clip_x0: bound on the clean estimate in its pipeline, None for none.
    """

    prediction: NetworkPrediction
    schedule: NoiseSchedule
    own: NoiseSchedule | None
    num_train_timesteps: int
    clip_x0: float | None = None

    def __post_init__(self) -> None:
        check_choice("prediction", self.prediction, NETWORK_PREDICTIONS)
        if (self.own is None) != (self.prediction == "flow"):
            raise UsageError(
                f"prediction is '{self.prediction}' {'without' if self.own is None else 'with'} discrete levels, "
                "expected them for eps, v and x0 and none for flow"
            )


@dataclass(frozen=True)
class Reading:
    r"""Inputs of the network and conversion of its output, at each level t of a sampler.

    It is called as network(input_scale[t] * x, times[t]), and
    $\hat\epsilon = \mathrm{output\_weight}[t] \cdot \mathrm{output} + \mathrm{x\_weight}[t] \cdot x$.
    """

    discrete: bool
    """whether times are integers, indices of the training levels"""
    times: tuple[float, ...]
    input_scale: tuple[float, ...]
    output_weight: tuple[float, ...]
    x_weight: tuple[float, ...]


def match_levels(trained: TrainedLevels, schedule: NoiseSchedule, match: str = "snr") -> Reading:
    r"""The reading of a network at the levels of `schedule`, matched by signal-to-noise ratio.

    A flow network is evaluated at the exact time $s = \sigma / (\sqrt{\bar\alpha} + \sigma)$ with
    $z = x / (\sqrt{\bar\alpha} + \sigma)$, hence $\hat\epsilon = z + (1 - s)\, v$. One with discrete times is evaluated
    at its level of nearest log SNR, whose coefficients convert its v or x0.

    Args:
        trained: levels and prediction of the network.
        schedule: the sampler's levels.
        match: "snr", or "exact" to raise an error for levels that the network was not trained on.

    Raises:
        UsageError: with "exact", levels that differ.
    """
    check_choice("match", match, MATCHES)
    if trained.own is None:
        return _flow_reading(schedule, trained.num_train_timesteps)
    levels = trained.own.nearest_levels(schedule)
    gap = (trained.own.log_snr.double()[levels] - schedule.log_snr.double()).abs()
    if match == "exact" and float(gap.max()) > EXACT_TOLERANCE:
        worst = int(gap.argmax())
        raise UsageError(
            f"the network was trained on {len(trained.own)} noise levels, of which none has log SNR "
            f"{float(schedule.log_snr[worst]):.3f} as the sampler's level {worst} does (the nearest is "
            f"{float(gap.max()):.3g} off), expected the same levels; use match='snr' to evaluate it at the nearest ones"
        )
    alpha_bar = trained.own.alphas_cumprod.double()[levels]
    root, sigma = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    ones, zeros = torch.ones_like(root), torch.zeros_like(root)
    output_weight, x_weight = {
        "eps": (ones, zeros),
        "v": (root, sigma),
        "x0": (-root / sigma, 1 / sigma),
    }[trained.prediction]
    return Reading(True, _floats(levels), _floats(ones), _floats(output_weight), _floats(x_weight))


def _flow_reading(schedule: NoiseSchedule, num_train_timesteps: int) -> Reading:
    alpha_bar = schedule.alphas_cumprod.double()
    root, sigma = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    time, scale = sigma / (root + sigma), 1 / (root + sigma)
    return Reading(False, _floats(time * num_train_timesteps), _floats(scale), _floats(1 - time), _floats(scale))


def flow_schedule(times: Float[Tensor, " levels"]) -> NoiseSchedule:
    r"""Levels of given flow times s, ascending in (0, 1]: $\bar\alpha = (1 - s)^2 / ((1 - s)^2 + s^2)$.

    Pure noise, s = 1, is given the signal fraction `SMALLEST_SIGNAL`.

    Raises:
        UsageError: times outside (0, 1] or not ascending.
    """
    times = times.double()
    if len(times) == 0 or float(times[0]) <= 0 or float(times[-1]) > 1 or not bool((times.diff() > 0).all()):
        raise UsageError(
            f"flow times are {[round(float(time), 4) for time in times[:3]]}..., expected ascending numbers above 0 "
            "and up to 1; check the scheduler's shift and sigmas"
        )
    signal = (1 - times).square()
    return schedule_of_signal(signal / (signal + times.square()))


def schedule_of_signal(alphas_cumprod: Float[Tensor, " levels"]) -> NoiseSchedule:
    """Levels of given abar, level 0 first, in double precision; a last level of pure noise gets `SMALLEST_SIGNAL`."""
    alphas_cumprod = alphas_cumprod.double()
    if float(alphas_cumprod[-1]) == 0.0:
        before = float(alphas_cumprod[-2]) if len(alphas_cumprod) > 1 else 1.0
        smallest = alphas_cumprod.new_tensor([min(SMALLEST_SIGNAL, before / 4)])
        alphas_cumprod = torch.cat([alphas_cumprod[:-1], smallest])
    previous = torch.cat([torch.ones_like(alphas_cumprod[:1]), alphas_cumprod[:-1]])
    return NoiseSchedule(1 - alphas_cumprod / previous, alphas_cumprod)


def _floats(values: Tensor) -> tuple[float, ...]:
    return tuple(values.double().tolist())
