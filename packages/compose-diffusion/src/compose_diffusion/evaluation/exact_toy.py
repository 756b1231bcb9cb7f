"""The exact toy: compositions of closed-form densities of the plane, their samplers and measures.

Everything is float64 and without a network, so all errors are errors of the sampler.
"""

import time
from dataclasses import replace
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from compose_diffusion.algebra.composition import Expression, mixture, negation, product
from compose_diffusion.algebra.leaves import ExactLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.config.toy import ToyExactConfig
from compose_diffusion.data.distributions import GaussianMixture, bar, ring, ring_and_bar
from compose_diffusion.diffusion import NoiseSchedule, add_noise, cosine_schedule
from compose_diffusion.evaluation.metrics import (
    box_fraction,
    mmd2,
    mode_accuracy,
    mode_balance,
    product_log_likelihood,
    variance_error,
)
from compose_diffusion.samplers.last_step import anneal_to_clean
from compose_diffusion.samplers.samplers import SampleResult, draw, draw_official

Measures = dict[str, float]

LEFT_BAR, RIGHT_BAR = bar(-0.2, 0.1), bar(0.2, 0.1)
# One Gaussian negated by another one, with net precision 1.3 / 0.25 - 0.3 / 0.09 > 0: proper at every level.
NEGATION_WEIGHTS = (1.3, 0.3)
NEGATION_STD = (0.5, 0.3)
NEGATION_MEANS = ((0.0, 0.0), (0.3, 0.0))


def composition(config: ToyExactConfig, schedule: NoiseSchedule) -> Expression:
    """The task's composition of exact noised densities."""
    if config.task == "product":
        return product(ExactLeaf(ring(), schedule), ExactLeaf(bar(), schedule))
    if config.task == "mixture":
        return mixture([ExactLeaf(LEFT_BAR, schedule), ExactLeaf(RIGHT_BAR, schedule)])
    base, other = (
        ExactLeaf(GaussianMixture([list(mean)], std=std), schedule)
        for mean, std in zip(NEGATION_MEANS, NEGATION_STD, strict=True)
    )
    return negation(NEGATION_WEIGHTS[0] * base, other, NEGATION_WEIGHTS[1])


def negation_target() -> tuple[Float[Tensor, " 2"], float]:
    """Mean and standard deviation of the negated Gaussian: precisions and precision-weighted means add with weights."""
    weights = (NEGATION_WEIGHTS[0], -NEGATION_WEIGHTS[1])
    precisions = [weight / std**2 for weight, std in zip(weights, NEGATION_STD, strict=True)]
    means = torch.tensor(NEGATION_MEANS, dtype=torch.float64)
    precision = sum(precisions)
    mean = sum(part * mean for part, mean in zip(precisions, means, strict=True)) / precision
    return torch.as_tensor(mean), precision**-0.5


def true_samples(config: ToyExactConfig, generator: torch.Generator) -> Float[Tensor, "num_samples 2"]:
    """Samples of the target of the composition, at zero noise."""
    if config.task == "product":
        return ring_and_bar().sample(config.num_samples, generator)
    if config.task == "mixture":
        left = torch.rand(config.num_samples, generator=generator) < 0.5
        both = [side.sample(config.num_samples, generator) for side in (LEFT_BAR, RIGHT_BAR)]
        return torch.where(left[:, None], both[0], both[1])
    mean, std = negation_target()
    return mean + std * torch.randn(config.num_samples, 2, generator=generator, dtype=torch.float64)


def ends_officially(config: ToyExactConfig) -> bool:
    """Whether samplers of a configuration end as the official toy notebook's do: those with its constant steps."""
    return config.hamiltonian.step_law == "constant"


def run_row(config: ToyExactConfig, row: str, seed: int, *, official: bool | None = None) -> tuple[SampleResult, float]:
    """Sample the task with one row's sampler; the result and the seconds it took.

    Args:
        config: the task and its samplers.
        row: a sampler, see `ToyExactConfig.sampler`.
        seed: of start and sampler.
        official: end at the lowest noise level, or after reverse steps in one by the summed prediction; else MCMC
            anneals to clean data after every sampler but the reverse process. By default, `ends_officially`.
    """
    official = ends_officially(config) if official is None else official
    schedule = cosine_schedule(config.num_levels)
    expression = composition(config, schedule)
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(config.num_samples, 2, generator=generator, dtype=torch.float64)
    options = config.sampler(row)
    begun = time.perf_counter()
    sampler = draw_official if official else draw
    result = sampler(expression, schedule, start, options, generator)
    if options.method == "annealed" and not official:
        clean = anneal_to_clean(expression, schedule, result.x, generator)
        result = replace(
            result, x=clean.x, gradient_evaluations=result.gradient_evaluations + clean.gradient_evaluations
        )
    return result, time.perf_counter() - begun


def measure(config: ToyExactConfig, x: Float[Tensor, "num_samples 2"], seed: int) -> Measures:
    """Measures of samples against the target of the task; their names depend on the task."""
    # A different stream than the sampler's, so that target and samples are independent.
    generator = torch.Generator().manual_seed(seed + 10_000)
    target = true_samples(replace(config, num_samples=len(x)), generator)
    if config.task == "product":
        likelihood = product_log_likelihood(x)
        return {
            "accuracy": mode_accuracy(x),
            "log likelihood": likelihood.mean,
            "outside": likelihood.outside,
            "variance error": variance_error(x, target),
            "MMD^2": mmd2(x, target),
            "upper mode": mode_balance(x),
        }
    if config.task == "mixture":
        return {
            "inside": box_fraction(x, [LEFT_BAR, RIGHT_BAR]),
            "left": float((x[:, 0] < 0).double().mean()),
            "variance of |x|": float(x[:, 0].abs().var()),
            "MMD^2": mmd2(x, target),
        }
    mean, std = negation_target()
    return {
        "mean error": float((x.mean(dim=0) - mean).norm()),
        "variance ratio": float(x.var(dim=0).mean() / std**2),
        "MMD^2": mmd2(x, target),
    }


def settled_variance(config: ToyExactConfig, kernel: str, step: float, seed: int) -> Measures:
    """Stationary variance of chains at the lowest level of the product, divided by the exact variance.

    Args:
        config: the product task.
        kernel: "ula", "mala", "uhmc" or "hmc", the last two with full momentum refreshment.
        step: step size in units of the mode's variance (Langevin) or standard deviation (Hamiltonian).
        seed: of starts and chains.
    """
    schedule = cosine_schedule(config.num_levels)
    alpha_bar = float(schedule.alphas_cumprod[0])
    modes = alpha_bar**0.5 * ring_and_bar().means
    std = (alpha_bar * ring_and_bar().covariances[0, 0, 0].item() + 1 - alpha_bar) ** 0.5
    generator = torch.Generator().manual_seed(seed)
    clean = ring_and_bar().sample(2 * config.num_samples, generator)
    noise = torch.randn(clean.shape, generator=generator, dtype=clean.dtype)
    start = add_noise(clean, noise, 0, schedule)
    langevin = kernel in ("ula", "mala")
    options = SamplerOptions(
        kernel=cast(Any, kernel),
        steps_per_level=300 if langevin else 100,
        step_scale=step * (std**2 if langevin else std),
        damping=0.0,
        first_level=0,
    )
    x = draw_official(composition(config, schedule), schedule, start, options, generator).x
    squared = (x[:, None, :] - modes).square().sum(dim=2).amin(dim=1)
    return {"variance ratio": float(squared.mean()) / (2 * std**2)}


def diagnose(result: SampleResult) -> Measures:
    """Statistics of a run: mean acceptance, acceptance at the lowest level with MCMC, evaluations, non-finite
    proposals."""
    ran = result.acceptance[~result.acceptance.isnan()]
    return {
        "acceptance": float(ran.mean()) if len(ran) else 1.0,
        "last acceptance": float(ran[0]) if len(ran) else 1.0,
        "gradient evaluations": float(result.gradient_evaluations),
        "non-finite": float(result.non_finite),
    }


def log_density_grid(
    config: ToyExactConfig, level: int, half_width: float = 1.0, points: int = 120
) -> Float[Tensor, "points points"]:
    """Composed log density at a level on a square grid (rows from low to high y), for plots; 0 at its maximum."""
    schedule = cosine_schedule(config.num_levels)
    axis = torch.linspace(-half_width, half_width, points, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    coordinates = torch.stack([x.flatten(), y.flatten()], dim=1)
    log_density = composition(config, schedule).evaluate(coordinates, level).log_density
    assert log_density is not None
    return (log_density - log_density.max()).reshape(points, points)
