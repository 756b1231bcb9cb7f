r"""Normalisers of energies, from which the mixing weights of a mixture of energy models are calibrated.

An energy model gives log densities L_t up to a constant for each level. The constant cancels in sums of scores and in
Metropolis tests, but not in a mixture, whose score weights each term by exp(L_t). This module estimates
$\log Z_t = \log \int \exp L_t$ for every level; the mixture takes the estimates as log weights.

The estimate is a chain of ratios between neighbouring levels. With forward noise q(x_t | x_{t-1}) and an ancestral step
r(x_{t-1} | x_t), the pairs (x_{t-1}, x_t) have two unnormalised densities,

$$\gamma_f = e^{L_{t-1}(x_{t-1})}\, q(x_t | x_{t-1}), \qquad \gamma_r = e^{L_t(x_t)}\, r(x_{t-1} | x_t),$$

with normalisers Z_{t-1} and Z_t. Samples of both give the ratio by Bennett's acceptance ratio, the estimator of least
variance (Bennett, 1976). The ancestral step nearly inverts the noise, so the two pair densities overlap well even in
many dimensions, unlike the densities of neighbouring levels. The highest level is compared with a Gaussian.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from scipy.optimize import brentq
from torch import Tensor

from compose_diffusion.algebra.composition import Expression
from compose_diffusion.diffusion import NoiseSchedule, add_noise, clean_from_noise, reverse_coefficients

_LOG_2_PI = math.log(2 * math.pi)


@dataclass(frozen=True, eq=False)
class LogNormalisers:
    """log Z_t of one model at each level, with standard errors accumulated from the highest level down."""

    values: Float[Tensor, " levels"]
    standard_errors: Float[Tensor, " levels"]


def bennett_ratio(
    log_ratio_first: Float[Tensor, " num_first"], log_ratio_second: Float[Tensor, " num_second"]
) -> tuple[float, float]:
    r"""log (Z_1 / Z_2) of two unnormalised densities, and its standard error.

    The root $\delta$ of $\sum_1 \mathrm{sigmoid}(\delta - m - \ell) = \sum_2 \mathrm{sigmoid}(\ell - \delta + m)$ with
    $m = \log(n_1 / n_2)$.

    Args:
        log_ratio_first: $\ell = \log(\gamma_1 / \gamma_2)$ at independent samples of the first.
        log_ratio_second: the same at independent samples of the second.

    Raises:
        UsageError: ratios that are not finite.
    """
    first, second = log_ratio_first.double().cpu(), log_ratio_second.double().cpu()
    both = torch.cat([first, second])
    if not bool(both.isfinite().all()) or len(first) < 2 or len(second) < 2:
        raise UsageError(
            f"{int((~both.isfinite()).sum())} of {len(both)} density ratios are not finite, expected at least 2 finite "
            "ones on each side; check that the energy is finite where the samples are"
        )
    offset = math.log(len(first) / len(second))

    def imbalance(delta: float) -> float:
        of_first, of_second = torch.sigmoid(delta - offset - first), torch.sigmoid(second - delta + offset)
        return float(of_first.sum() - of_second.sum())

    margin = 50.0 + abs(offset)
    low, high = float(both.min()) - margin, float(both.max()) + margin
    delta = cast(float, brentq(imbalance, low, high, xtol=1e-10))
    variance = 0.0
    for values in (torch.sigmoid(delta - offset - first), torch.sigmoid(second - delta + offset)):
        variance += float(values.var() / values.mean().square()) / len(values)
    return delta, math.sqrt(variance)


def estimate_log_normalisers(
    energy: Expression,
    clean_samples: Float[Tensor, "num_samples *event"],
    schedule: NoiseSchedule,
    generator: torch.Generator,
) -> LogNormalisers:
    r"""log Z_t of an energy at every level, from samples of what it models.

    Costs four evaluations per level on half of the samples. Samples that do not follow the model, such as data that it
    fits badly, bias the result.

    Args:
        energy: one model with log densities; not a product, whose level densities are not those of noised samples.
        clean_samples: independent samples at zero noise, at least 8: the training data, or the model's own.
        schedule: levels.
        generator: all randomness, on the samples' device.

    Raises:
        UsageError: a model without log densities, or too few samples.
    """
    if not energy.has_energy:
        raise UsageError(f"{type(energy).__name__} gives no log density, expected an energy: a score has no normaliser")
    half = len(clean_samples) // 2
    if half < 4:
        raise UsageError(f"{len(clean_samples)} clean samples, expected at least 8 to estimate normalisers from")
    # The two sides of each ratio use different samples; `above` holds the samples of the upper level.
    down, up = clean_samples[:half], clean_samples[half : 2 * half]
    top = len(schedule) - 1
    values, errors = torch.zeros(top + 1, dtype=torch.float64), torch.zeros(top + 1, dtype=torch.float64)
    above = _Evaluated.of(energy, _noised(up, top, schedule, generator), top)
    values[top], errors[top] = _bridge_to_gaussian(energy, above, _noised(down, top, schedule, generator), generator)
    for t in range(top, 0, -1):
        walked = _step_down(above.x, up, t, schedule, generator)
        below = _Evaluated.of(energy, _noised(down, t - 1, schedule, generator), t - 1)
        difference, error = _bridge(energy, above, walked, below, schedule, generator)
        values[t - 1] = values[t] + difference
        errors[t - 1] = math.hypot(float(errors[t]), error)
        above = _Evaluated.of(energy, walked, t - 1)
    return LogNormalisers(values, errors)


def calibrated_log_weights(
    normalisers: Sequence[LogNormalisers], weights: Sequence[float] | None = None
) -> Float[Tensor, "levels terms"]:
    r"""Log weights for `mixture`: $\log \pi_i - \log Z_{i,t}$.

    Args:
        normalisers: of each term, over the same levels.
        weights: pi_i, above 0, scaled to sum to 1; equal if absent.

    Raises:
        UsageError: no term, weights that do not fit.
    """
    shares = torch.as_tensor([1.0] * len(normalisers) if weights is None else list(weights), dtype=torch.float64)
    if len(normalisers) == 0 or len(shares) != len(normalisers) or not bool((shares > 0).all()):
        raise UsageError(
            f"{len(normalisers)} terms with weights {shares.tolist()}, expected at least one term and a weight above 0 "
            "for each"
        )
    lengths = sorted({len(each.values) for each in normalisers})
    if len(lengths) > 1:
        raise UsageError(f"normalisers have {lengths} levels, expected equally many; calibrate on one schedule")
    return (shares / shares.sum()).log() - torch.stack([each.values for each in normalisers], dim=1)


@dataclass(frozen=True, eq=False)
class _Evaluated:
    """Samples at a level with score and log density (float64, because ratios are small differences)."""

    x: Float[Tensor, "batch *event"]
    level: int
    log_density: Float[Tensor, " batch"]
    score: Float[Tensor, "batch *event"]

    @classmethod
    def of(cls, energy: Expression, x: Tensor, level: int) -> "_Evaluated":
        evaluation = energy.evaluate(x, level)
        assert evaluation.log_density is not None
        return cls(x, level, evaluation.log_density.double(), evaluation.score)

    def ancestral_mean(self, schedule: NoiseSchedule) -> Tensor:
        """Mean of the step to the level below."""
        coefficients = reverse_coefficients(schedule, self.level)
        clean = clean_from_noise(-float(schedule.sigma[self.level]) * self.score, self.x, self.level, schedule)
        return coefficients.clean.to(self.x.dtype) * clean + coefficients.current.to(self.x.dtype) * self.x


def _bridge(
    energy: Expression,
    above: _Evaluated,
    walked: Tensor,
    below: _Evaluated,
    schedule: NoiseSchedule,
    generator: torch.Generator,
) -> tuple[float, float]:
    """log (Z_{t-1} / Z_t): pairs from `below` by noise, and from `above` by an ancestral step.

    Args:
        walked: the samples one level below from which the samples of `above` were noised.
    """
    beta, root_alpha = float(schedule.betas[above.level]), math.sqrt(1 - float(schedule.betas[above.level]))
    mean = above.ancestral_mean(schedule)
    # Estimated from these samples and not from those of the first ratio, which would bias it.
    variance = float((walked - mean).square().mean())
    noised = root_alpha * below.x + math.sqrt(beta) * _normal_like(below.x, generator)
    stepped = mean + math.sqrt(variance) * _normal_like(mean, generator)
    upper, lower = _Evaluated.of(energy, noised, above.level), _Evaluated.of(energy, stepped, below.level)

    def log_ratio(lower: _Evaluated, upper: _Evaluated, upper_mean: Tensor) -> Tensor:
        forward = lower.log_density + _log_normal(upper.x - root_alpha * lower.x, beta)
        return forward - upper.log_density - _log_normal(lower.x - upper_mean, variance)

    return bennett_ratio(log_ratio(below, upper, upper.ancestral_mean(schedule)), log_ratio(lower, above, mean))


def _bridge_to_gaussian(
    energy: Expression, top: _Evaluated, fitted: Tensor, generator: torch.Generator
) -> tuple[float, float]:
    """log Z at the highest level, against a normalised Gaussian of the mean and variances of `fitted`."""
    mean, variance = fitted.mean(dim=0), fitted.var(dim=0)
    drawn = _Evaluated.of(energy, mean + variance.sqrt() * _normal_like(top.x, generator), top.level)

    def log_ratio(at: _Evaluated) -> Tensor:
        terms = (at.x - mean).double().square() / variance.double() + variance.double().log() + _LOG_2_PI
        return at.log_density + 0.5 * terms.flatten(1).sum(dim=1)

    return bennett_ratio(log_ratio(top), log_ratio(drawn))


def _step_down(x: Tensor, clean: Tensor, t: int, schedule: NoiseSchedule, generator: torch.Generator) -> Tensor:
    """Sample x_{t-1} given x_t and the clean sample, from the exact posterior."""
    coefficients = reverse_coefficients(schedule, t, "posterior")
    mean = coefficients.clean.to(x.dtype) * clean + coefficients.current.to(x.dtype) * x
    return mean + coefficients.variance.sqrt().to(x.dtype) * _normal_like(x, generator)


def _noised(clean: Tensor, t: int, schedule: NoiseSchedule, generator: torch.Generator) -> Tensor:
    return add_noise(clean, _normal_like(clean, generator), t, schedule).to(clean.dtype)


def _normal_like(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


def _log_normal(offset: Tensor, variance: float) -> Float[Tensor, " batch"]:
    """Log density of N(0, variance I) at the offsets."""
    dim = offset[0].numel()
    return -0.5 * (offset.double().flatten(1).square().sum(dim=1) / variance + dim * (math.log(variance) + _LOG_2_PI))
