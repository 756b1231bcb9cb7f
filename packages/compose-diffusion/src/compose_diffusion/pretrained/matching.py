r"""How a network trained on its own noise levels answers at the levels of a sampler.

Samplers here move $x = \sqrt{\bar\alpha_t}\, x_0 + \sigma_t \epsilon$. A network may have learnt from other levels, or
from straight lines $z = (1 - s)\, x_0 + s\, \epsilon$ (flow matching). Both are the same noised data up to a factor
wherever the signal-to-noise ratio is the same, so a network is asked there, and what it says becomes a noise estimate.
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
# Levels count as equal where their log SNR differs by less; neighbours of a thousand levels differ by more.
EXACT_TOLERANCE = 1e-3
# Signal share where a schedule ends in pure noise: the least that float16 knows, as diffusers' schedulers set it.
SMALLEST_SIGNAL = 2.0**-24


@dataclass(frozen=True, eq=False)
class TrainedLevels:
    """The noise a network was trained with, and what it predicts of it.

    Attributes:
        prediction: "eps", "v" or "x0" of a network with discrete times; "flow" (epsilon - x0) in continuous time.
        schedule: levels that a sampler takes by default.
        own: all levels of a network with discrete times, level t being its time t; for "flow", None.
        num_train_timesteps: what a flow network calls the time of pure noise.
        clip_x0: bound on the clean estimate that its own pipeline sets, None for none.
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
    r"""At each level t of a sampler, how the network is asked and read.

    It is called as network(input_scale[t] * x, times[t]), and
    $\hat\epsilon = \mathrm{output\_weight}[t] \cdot \mathrm{output} + \mathrm{x\_weight}[t] \cdot x$.
    """

    discrete: bool
    """whether times are whole numbers, a network's own levels"""
    times: tuple[float, ...]
    input_scale: tuple[float, ...]
    output_weight: tuple[float, ...]
    x_weight: tuple[float, ...]


def match_levels(trained: TrainedLevels, schedule: NoiseSchedule, match: str = "snr") -> Reading:
    r"""How a network is asked at the levels of `schedule`, those of equal signal-to-noise ratio being the same.

    A flow network is asked at the exact time $s = \sigma / (\sqrt{\bar\alpha} + \sigma)$ with
    $z = x / (\sqrt{\bar\alpha} + \sigma)$, hence $\hat\epsilon = z + (1 - s)\, v$. One with discrete times is asked at
    its level of nearest log SNR, and its v or x0 is read as that level's.

    Args:
        trained: levels and prediction of the network.
        schedule: the sampler's levels.
        match: "snr", or "exact" to refuse levels that the network was not trained on.

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
            f"{float(gap.max()):.3g} off), expected the same levels; use match='snr' to ask it at the nearest ones"
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

    Pure noise, s = 1, keeps the smallest signal that a schedule can have.

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
    """Levels of given abar, level 0 first, in double precision; a last one of pure noise keeps the smallest signal."""
    alphas_cumprod = alphas_cumprod.double()
    if float(alphas_cumprod[-1]) == 0.0:
        before = float(alphas_cumprod[-2]) if len(alphas_cumprod) > 1 else 1.0
        smallest = alphas_cumprod.new_tensor([min(SMALLEST_SIGNAL, before / 4)])
        alphas_cumprod = torch.cat([alphas_cumprod[:-1], smallest])
    previous = torch.cat([torch.ones_like(alphas_cumprod[:1]), alphas_cumprod[:-1]])
    return NoiseSchedule(1 - alphas_cumprod / previous, alphas_cumprod)


def _floats(values: Tensor) -> tuple[float, ...]:
    return tuple(values.double().tolist())
