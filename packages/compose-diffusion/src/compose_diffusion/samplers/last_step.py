r"""The last step: from samples of the lowest noise level to samples of the composition of clean densities.

At level 0 the samples follow $\hat q_0 \propto \prod_i q_{i,0}^{w_i}$, a product of noised densities, which is wider
than that of the clean ones: for N(0, s^2) to the power 2 its variance is $(s^2 + \sigma_0^2) / 2$ instead of $s^2 / 2$.
A noise-free reverse step by the summed prediction is no remedy, since each summand removes the whole noise once. In
this example it multiplies x by $1 - 2 \sigma_0^2 / (s^2 + \sigma_0^2)$, which for s of about $2 \sigma_0$ leaves less
than half of the variance. There are two remedies.

Exact densities are known at any noise. `anneal_to_clean` continues the annealing below level 0, to noise that is
negligible or none, with HMC at every level. What it returns has been moved by MCMC that leaves the target invariant.

Networks are not known below level 0. `mean_denoised` removes the noise once, by the prediction divided by the total
weight $B = \sum_i w_i$. For one model and for guidance, where B = 1, this is the usual last step, the mean of the clean
data given x; like that of every diffusion model it loses variance of relative size $\sigma_0^2 / s^2$.
"""

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from compose_diffusion.algebra.composition import Expression, Leaf, Sensitivity
from compose_diffusion.algebra.leaves import ClassifierLeaf, ExactLeaf
from compose_diffusion.algebra.tapestry import Crop
from compose_diffusion.data.distributions import GaussianMixture
from compose_diffusion.diffusion import NoiseSchedule, clean_from_noise
from compose_diffusion.mcmc.kernels import Target, hmc, init_state

# Variance of the noise at the levels below level 0, in units of that at level 0. Gaussians end without noise.
FINER_LEVELS = (1 / 4, 1 / 16, 1 / 64, 1 / 256, 1 / 1024, 1 / 4096)
# Leapfrog steps of one level, fixed in advance, so that every step leaves its target invariant. In units of sigma_0, of
# several lengths, since the scale of the clean density is not known (wider ones need no correction); then in units of
# the level's own noise, which is the scale of the edge of a box.
FINER_STEPS = (1.0, 0.5, 0.25, 0.125) * 3
EDGE_STEPS = (0.7, 0.35) * 2
NUM_LEAPFROG = 3


@dataclass(frozen=True, eq=False)
class CleanSamples:
    """Samples of the clean composition.

    Attributes:
        x: [batch, dim].
        gradient_evaluations: evaluations of the composition per sample.
        non_finite: number of non-finite proposals, which were rejected.
    """

    x: Float[Tensor, "batch dim"]
    gradient_evaluations: int
    non_finite: int


def has_clean_target(expression: Expression, x: Float[Tensor, "batch *event"]) -> bool:
    """Whether the composition of clean densities is known and can be a density.

    All leaves must be exact. A box may not be negated, since its clean density is 0 outside it.
    """
    leaves = expression.leaves(0)
    if not leaves or not all(isinstance(leaf, ExactLeaf) for leaf in leaves):
        return False
    derivatives = sensitivities(expression, x)
    return all(
        isinstance(cast(ExactLeaf, leaf).distribution, GaussianMixture)
        or bool((torch.as_tensor(derivatives.get(leaf, 0.0)) >= 0).all())
        for leaf in leaves
    )


def anneal_to_clean(
    expression: Expression, schedule: NoiseSchedule, x: Float[Tensor, "batch dim"], generator: torch.Generator
) -> CleanSamples:
    """HMC at noise levels below level 0, from samples of level 0, for compositions with `has_clean_target`."""
    alpha_bar = float(schedule.alphas_cumprod[0])
    sigma = (1 - alpha_bar) ** 0.5
    gaussian = all(isinstance(cast(ExactLeaf, leaf).distribution, GaussianMixture) for leaf in expression.leaves(0))
    evaluations, non_finite = 0, torch.zeros(())
    for share in (*FINER_LEVELS[:-1], 0.0 if gaussian else FINER_LEVELS[-1]):
        finer = 1 - share * sigma**2
        state = init_state(noised_target(expression, finer), x * (finer / alpha_bar) ** 0.5)
        evaluations += 1
        edge = share**0.5 * sigma
        sizes = [step * sigma for step in FINER_STEPS] + [step * edge for step in EDGE_STEPS if edge > 0]
        for size in sizes:
            state, info = hmc(
                state,
                noised_target(expression, finer),
                size,
                generator,
                num_leapfrog=NUM_LEAPFROG,
                damping=0.0,
            )
            evaluations += info.gradient_evaluations
            non_finite = non_finite + info.non_finite.cpu()
        x, alpha_bar = state.x, finer
    return CleanSamples(x, evaluations, int(non_finite))


def noised_target(expression: Expression, alpha_bar: float) -> Target:
    """Log density and score of a composition of exact densities at any noise, with the weights of level 0."""
    leaves = [cast(ExactLeaf, leaf) for leaf in expression.leaves(0)]

    def target(x: Tensor) -> tuple[Tensor | None, Tensor]:
        found = {leaf: leaf.distribution.noised(x, alpha_bar) for leaf in leaves}
        value, derivatives = expression.combine(0, {leaf: log_density for leaf, (log_density, _) in found.items()})
        score = torch.zeros_like(x)
        for leaf, (_, part) in found.items():
            factor = derivatives[leaf]
            score = score + (factor[:, None] if isinstance(factor, Tensor) else factor) * part
        return value, score

    return target


def mean_denoised(
    expression: Expression,
    noise: Float[Tensor, "batch *event"],
    x: Float[Tensor, "batch *event"],
    schedule: NoiseSchedule,
    clip_x0: float | None,
) -> Float[Tensor, "batch *event"]:
    r"""$(x - \sigma_0 \hat\epsilon / B) / \sqrt{\bar\alpha_0}$, B being the total weight of the densities.

    Where B is 0 or less the composition has no width to compare with, and the noise is divided by 1.

    Args:
        expression: the composition.
        noise: its noise prediction at level 0.
        x: samples of level 0.
        schedule: noise levels, in the precision of the samples.
        clip_x0: bound on the result, None for no bound.
    """
    total = total_weight(expression, x)
    clean = clean_from_noise(noise / torch.where(total > 0, total, torch.ones_like(total)), x, 0, schedule)
    return (clean if clip_x0 is None else clean.clamp(-clip_x0, clip_x0)).to(x.dtype)


def total_weight(expression: Expression, x: Float[Tensor, "batch *event"]) -> Tensor:
    """Sum of the weights of all densities at level 0; broadcasts over x.

    Classifiers are no densities of x and do not count. A crop counts in its window.
    """
    total = torch.zeros((1,) * x.ndim, dtype=x.dtype, device=x.device)
    for leaf, factor in sensitivities(expression, x).items():
        if isinstance(leaf, ClassifierLeaf):
            continue
        weight = torch.as_tensor(factor, dtype=x.dtype, device=x.device).reshape(-1, *[1] * (x.ndim - 1))
        if isinstance(leaf, Crop):
            here = torch.zeros((1, 1, *leaf.canvas), dtype=x.dtype, device=x.device).expand(len(weight), -1, -1, -1)
            here = here.clone()
            here[leaf.window] += total_weight(leaf.region.model, x[leaf.window])
            weight = weight * here
        total = total + weight
    # Weights of guidance sum to 1 up to rounding: then the last step is that of one model, to the last bit.
    return torch.where((total - 1).abs() < 1e-5, torch.ones_like(total), total)


def sensitivities(expression: Expression, x: Float[Tensor, "batch *event"]) -> dict[Leaf, Sensitivity]:
    """Derivative of the composed log density at level 0 by that of each leaf."""
    needed = set(expression.energy_leaves(0))
    log_densities = {leaf: leaf.evaluate(x, 0).log_density if leaf in needed else None for leaf in expression.leaves(0)}
    return expression.combine(0, log_densities)[1]
