"""Noise levels, the forward process, one reverse (ancestral) step, and conversions between the quantities a network
predicts.

Levels run from 0 (almost clean) to T - 1 (almost pure noise); the level before 0 is clean data, where abar = 1.
Coefficients stay on the CPU as zero-dimensional tensors: PyTorch hands those to any device without a transfer.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from onepaper.config import check_between, check_choice, check_positive
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.config.networks import ScheduleConfig

Prediction = Literal["eps", "v", "x0"]
ReverseVariance = Literal["beta", "posterior"]

PREDICTIONS = ("eps", "v", "x0")
REVERSE_VARIANCES = ("beta", "posterior")


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    r"""Noise levels $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sigma_t \epsilon$, $\sigma_t^2 = 1 - \bar\alpha_t$.

    Attributes:
        betas: fraction of the variance replaced by noise from level t - 1 to level t, each in (0, 1).
        alphas_cumprod: abar_t, the cumulative product of 1 - betas; decreasing.

    Raises:
        UsageError: no level, unequal numbers of entries, or values outside (0, 1).
    """

    betas: Float[Tensor, " levels"]
    alphas_cumprod: Float[Tensor, " levels"]

    def __post_init__(self) -> None:
        if len(self.betas) == 0 or self.betas.shape != self.alphas_cumprod.shape:
            raise UsageError(
                f"schedule has {len(self.betas)} betas and {len(self.alphas_cumprod)} alphas_cumprod, expected equally "
                "many and at least one; use cosine_schedule or linear_schedule"
            )
        if not bool(((self.betas > 0) & (self.betas < 1) & (self.alphas_cumprod > 0)).all()):
            raise UsageError(
                f"schedule betas range from {self.betas.min().item():.3g} to {self.betas.max().item():.3g}, expected "
                "numbers between 0 and 1 whose 1 - beta do not multiply to 0; lower max_beta or the number of levels"
            )

    def __len__(self) -> int:
        return len(self.betas)

    @classmethod
    def from_betas(cls, betas: Float[Tensor, " levels"]) -> "NoiseSchedule":
        """The schedule of given betas, in their dtype."""
        return cls(betas, torch.cumprod(1.0 - betas, dim=0))

    @property
    def sigma(self) -> Float[Tensor, " levels"]:
        """Standard deviation of the noise at each level, sqrt(1 - abar)."""
        return (1 - self.alphas_cumprod) ** 0.5

    @property
    def log_snr(self) -> Float[Tensor, " levels"]:
        """Log signal-to-noise ratio, log(abar / (1 - abar)); decreasing."""
        return torch.logit(self.alphas_cumprod)

    def to(self, dtype: torch.dtype, device: torch.device | str | None = None) -> "NoiseSchedule":
        """The same betas rounded to `dtype`; abar is computed from the rounded betas, as in diffusers' schedulers."""
        return NoiseSchedule.from_betas(self.betas.to(device=device, dtype=dtype))

    def respace(self, num_levels: int) -> "NoiseSchedule":
        """`num_levels` of these levels, evenly spaced, the last one included; `nearest_levels` gives their indices."""
        check_between("num_levels", num_levels, 1, len(self))
        kept = torch.tensor([round((level + 1) * len(self) / num_levels) - 1 for level in range(num_levels)])
        alphas_cumprod = self.alphas_cumprod[kept]
        previous = torch.cat([torch.ones_like(alphas_cumprod[:1]), alphas_cumprod[:-1]])
        return NoiseSchedule(1 - alphas_cumprod / previous, alphas_cumprod)

    def nearest_levels(self, other: "NoiseSchedule") -> Int[Tensor, " other_levels"]:
        """Index of the level here whose log SNR is nearest, for each level of `other`."""
        distance = other.log_snr.double()[:, None] - self.log_snr.double()[None, :]
        return distance.abs().argmin(dim=1)

    def same_levels(self, other: "NoiseSchedule") -> bool:
        """Whether both have the same noise levels, compared in log SNR to 1e-3."""
        return len(self) == len(other) and torch.allclose(
            self.log_snr.double().cpu(), other.log_snr.double().cpu(), rtol=1e-3, atol=1e-3
        )


def cosine_schedule(num_levels: int, offset: float = 0.008, max_beta: float = 0.999) -> NoiseSchedule:
    r"""$\bar\alpha(u) \propto \cos^2(\frac{u + s}{1 + s} \frac{\pi}{2})$ at u = (t + 1) / T, betas capped (Nichol and
    Dhariwal, 2021)."""
    check_positive("num_levels", num_levels)
    check_between("offset", offset, 0.0, 1.0)
    check_between("max_beta", max_beta, 0.0, 1.0)

    def alpha_bar(time: float) -> float:
        return math.cos((time + offset) / (1 + offset) * math.pi / 2) ** 2

    betas = [
        min(1 - alpha_bar((level + 1) / num_levels) / alpha_bar(level / num_levels), max_beta)
        for level in range(num_levels)
    ]
    return NoiseSchedule.from_betas(torch.tensor(betas, dtype=torch.float64))


def linear_schedule(num_levels: int, beta_start: float = 1e-4, beta_end: float = 0.02) -> NoiseSchedule:
    """Betas that grow linearly from `beta_start` to `beta_end`."""
    check_positive("num_levels", num_levels)
    return NoiseSchedule.from_betas(torch.linspace(beta_start, beta_end, num_levels, dtype=torch.float64))


def make_schedule(config: ScheduleConfig) -> NoiseSchedule:
    """The noise schedule of a configuration."""
    if config.kind == "cosine":
        return cosine_schedule(config.num_levels)
    return linear_schedule(config.num_levels, config.beta_start, config.beta_end)


def at_level(values: Tensor, t: int | Int[Tensor, " batch"], x: Tensor) -> Tensor:
    """A schedule's value at level t (one level, or one for each sample), broadcast and cast so that it multiplies x."""
    if isinstance(t, int):
        return values[t].to(_coefficient_dtype(x))
    picked = values.to(x.device)[t].to(x.dtype)
    return picked.reshape(-1, *[1] * (x.ndim - 1))


def _coefficient_dtype(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


def add_noise(
    x0: Float[Tensor, "batch *event"],
    noise: Float[Tensor, "batch *event"],
    t: int | Int[Tensor, " batch"],
    schedule: NoiseSchedule,
) -> Float[Tensor, "batch *event"]:
    r"""$x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$, the forward process."""
    abar = schedule.alphas_cumprod
    return at_level(abar**0.5, t, x0) * x0 + at_level((1 - abar) ** 0.5, t, x0) * noise


def score_from_noise(
    noise: Float[Tensor, "batch *event"], t: int | Int[Tensor, " batch"], schedule: NoiseSchedule
) -> Float[Tensor, "batch *event"]:
    r"""$\nabla \log q_t(x) = -\hat\epsilon / \sigma_t$."""
    return -noise / at_level(schedule.sigma, t, noise)


def noise_from_score(
    score: Float[Tensor, "batch *event"], t: int | Int[Tensor, " batch"], schedule: NoiseSchedule
) -> Float[Tensor, "batch *event"]:
    r"""$\hat\epsilon = -\sigma_t \nabla \log q_t(x)$."""
    return -at_level(schedule.sigma, t, score) * score


def clean_from_noise(
    noise: Float[Tensor, "batch *event"],
    x: Float[Tensor, "batch *event"],
    t: int | Int[Tensor, " batch"],
    schedule: NoiseSchedule,
) -> Float[Tensor, "batch *event"]:
    r"""$\hat x_0 = (x - \sigma_t \hat\epsilon) / \sqrt{\bar\alpha_t}$."""
    abar = schedule.alphas_cumprod
    return (x - at_level((1 - abar) ** 0.5, t, x) * noise) / at_level(abar**0.5, t, x)


def noise_from_prediction(
    prediction: Float[Tensor, "batch *event"],
    x: Float[Tensor, "batch *event"],
    t: int | Int[Tensor, " batch"],
    schedule: NoiseSchedule,
    kind: Prediction,
) -> Float[Tensor, "batch *event"]:
    r"""Convert a network's output to a noise prediction $\hat\epsilon$.

    eps is returned unchanged; v by $\sqrt{\bar\alpha_t}\, v + \sigma_t x$; x0 by $(x - \sqrt{\bar\alpha_t}\, x_0) /
    \sigma_t$.
    """
    check_choice("prediction", kind, PREDICTIONS)
    if kind == "eps":
        return prediction
    abar = schedule.alphas_cumprod
    root_abar, sigma = at_level(abar**0.5, t, x), at_level((1 - abar) ** 0.5, t, x)
    if kind == "v":
        return root_abar * prediction + sigma * x
    return (x - root_abar * prediction) / sigma


@dataclass(frozen=True, eq=False)
class ReverseCoefficients:
    """Coefficients of one ancestral step: x_{t-1} = clean * x0_hat + current * x_t + sqrt(variance) * noise."""

    clean: Float[Tensor, ""]
    current: Float[Tensor, ""]
    variance: Float[Tensor, ""]


def reverse_coefficients(schedule: NoiseSchedule, t: int, variance: ReverseVariance = "beta") -> ReverseCoefficients:
    r"""Mean and variance of $q(x_{t-1} | x_t, x_0)$, in the order of operations of diffusers' DDPMScheduler.

    The mean is $\frac{\sqrt{\bar\alpha_{t-1}} \beta_t}{1 - \bar\alpha_t} x_0
    + \frac{\sqrt{\alpha_t} (1 - \bar\alpha_{t-1})}{1 - \bar\alpha_t} x_t$. The variance is $\beta_t$ ("beta") or
    $\tilde\beta_t = \frac{1 - \bar\alpha_{t-1}}{1 - \bar\alpha_t} \beta_t$ ("posterior"); level 0 steps to clean data.
    """
    check_choice("reverse variance", variance, REVERSE_VARIANCES)
    abar = schedule.alphas_cumprod[t]
    abar_previous = schedule.alphas_cumprod[t - 1] if t > 0 else torch.ones_like(abar)
    remaining, remaining_previous = 1 - abar, 1 - abar_previous
    alpha = abar / abar_previous
    beta = 1 - alpha
    posterior = torch.clamp(remaining_previous / remaining * beta, min=1e-20)
    return ReverseCoefficients(
        clean=abar_previous**0.5 * beta / remaining,
        current=alpha**0.5 * remaining_previous / remaining,
        variance=beta if variance == "beta" else posterior,
    )


def reverse_step(
    x: Float[Tensor, "batch *event"],
    noise_prediction: Float[Tensor, "batch *event"],
    t: int,
    schedule: NoiseSchedule,
    generator: torch.Generator,
    *,
    variance: ReverseVariance = "beta",
    clip_x0: float | None = None,
) -> Float[Tensor, "batch *event"]:
    """One ancestral step from level t to level t - 1 (to clean data, and without new noise, from level 0).

    In float32, with `schedule.to(torch.float32)` and an equally seeded generator, the result is bit for bit that of
    diffusers' `DDPMScheduler.step` with `variance_type` fixed_large ("beta") or fixed_small ("posterior").

    Args:
        clip_x0: bound on the absolute value of the clean estimate, None for no bound. The estimate divides by
            sqrt(abar), which is about 1e-4 at the last level of a cosine schedule.
    """
    coefficients = reverse_coefficients(schedule, t, variance)
    clean = clean_from_noise(noise_prediction, x, t, schedule)
    if clip_x0 is not None:
        clean = clean.clamp(-clip_x0, clip_x0)
    previous = coefficients.clean * clean + coefficients.current * x
    if t > 0:
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        previous = previous + coefficients.variance**0.5 * noise
    return previous.to(x.dtype)
