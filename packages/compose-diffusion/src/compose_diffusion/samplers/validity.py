"""Compositions that are no densities, and runs that diverged: one line instead of numbers without meaning."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.algebra.composition import Expression, Leaf, WeightedProduct
from compose_diffusion.algebra.leaves import ExactLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.distributions import GaussianMixture, UniformBox
from compose_diffusion.diffusion import NoiseSchedule

# Noised data have unit scale. An untrained network may reach 1e4 in the last levels of a cosine schedule; beyond this
# value a run has left every density.
LARGEST = 1e6


def check_run(start: Tensor | Sequence[int], options: SamplerOptions) -> None:
    """Refuse numbers of samples and of steps that are no counts.

    Raises:
        UsageError: fewer than one sample, samples that are no floating-point numbers, or a number of steps that is not
            an integer.
    """
    if isinstance(start, Tensor) and not start.is_floating_point():
        raise UsageError(f"start has dtype {start.dtype}, expected floating-point numbers, e.g. torch.randn(100, 2)")
    count: object = len(start) if isinstance(start, Tensor) else start[0]
    if not isinstance(count, int) or count < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"number of samples is {count}, expected an integer of at least 1")
    counts: dict[str, object] = {"num_leapfrog": options.num_leapfrog, "steps_per_level": options.steps_per_level}
    for name, value in counts.items():
        if not isinstance(value, int):
            raise UsageError(f"{name} is {value}, expected an integer")


def diverged(x: Float[Tensor, "batch *event"]) -> bool:
    """Whether a sample is not finite, or larger than any data."""
    return not bool((x.abs() <= LARGEST).all())


def divergence(trajectory: Float[Tensor, "visits batch *event"]) -> str:
    """The first visit of a trajectory that diverged, in words."""
    for index, x in enumerate(trajectory):
        if diverged(x):
            count = int((~(x.abs() <= LARGEST)).flatten(1).any(dim=1).sum())
            finite = x[x.isfinite()].abs()
            size = "not finite" if len(finite) < x.numel() else f"as large as {float(finite.max()):.2g}"
            level = len(trajectory) - 1 - index
            step = (
                "at the start" if index == 0 else f"after the step at level {level} ({index} of {len(trajectory) - 1})"
            )
            return (
                f"{count} of {len(x)} samples x are {size} {step}, expected numbers of the scale of the data; the "
                "composition may be no density (weaken or floor its negations), a network may give wrong numbers, or "
                "the step size or guidance may be too large"
            )
    return "samples diverged after the last level; lower the step size"


def check_proper(expression: Expression, schedule: NoiseSchedule) -> None:
    """Refuse a product of exact densities that grows without bound in some direction at a level.

    Far out, a Gaussian leaf of precision P has log density -x P x / 2, and a box that of its noise, of precision
    1 / sigma_t^2, so the weighted sum of precisions must be positive definite. Only products of leaves with one
    precision each are checked: Gaussians, mixtures of one standard deviation, boxes.

    Raises:
        UsageError: the net precision has an eigenvalue of 0 or less.
    """
    for t in range(len(schedule)):
        factors = exact_factors(expression, t)
        if not factors:
            return
        alpha_bar = float(schedule.alphas_cumprod[t])
        net = sum(weight * tail_precision(leaf, alpha_bar) for leaf, weight in factors.items())
        smallest = float(torch.linalg.eigvalsh(torch.as_tensor(net)).min())
        # Weights that sum to 0 or less have given a warning when they were composed.
        if smallest <= 0 and sum(factors.values()) > 0:
            raise UsageError(
                f"the composition has the precision {smallest:.3g} at noise level {t}, expected one above 0: a negated "
                "density is narrower than its base, so the composition grows without bound far out; weaken the "
                "negation, or floor it with negation(a, b, strength, floor)"
            )


def exact_factors(expression: Expression, t: int) -> dict[ExactLeaf, float]:
    """The weights of a product of exact densities at a level; empty for anything else."""
    if isinstance(expression, ExactLeaf):
        return {expression: 1.0} if known_tail(expression) else {}
    if not isinstance(expression, WeightedProduct) or expression.energy_leaves(t):
        return {}
    leaves = expression.leaves(t)
    _, weights = expression.combine(t, dict.fromkeys(leaves))
    found: dict[ExactLeaf, float] = {}
    for leaf in leaves:
        if not isinstance(leaf, ExactLeaf) or not known_tail(leaf):
            return {}
        found[leaf] = float(weights[leaf])
    return found


def known_tail(leaf: Leaf) -> bool:
    """Whether a leaf has one precision far out in every direction."""
    distribution = leaf.distribution if isinstance(leaf, ExactLeaf) else None
    if isinstance(distribution, GaussianMixture):
        return distribution.isotropic or len(distribution.means) == 1
    return isinstance(distribution, UniformBox)


def tail_precision(leaf: ExactLeaf, alpha_bar: float) -> Float[Tensor, "dim dim"]:
    """The precision of a noised leaf far out."""
    distribution = leaf.distribution
    eye = torch.eye(distribution.dim, dtype=torch.float64)
    if isinstance(distribution, GaussianMixture):
        return torch.linalg.inv(alpha_bar * distribution.covariances[0] + (1 - alpha_bar) * eye)
    return eye / (1 - alpha_bar)
