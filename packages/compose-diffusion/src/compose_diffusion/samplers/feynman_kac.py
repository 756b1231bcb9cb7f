r"""The Feynman-Kac corrector: weighted particles that follow a product of noised densities (Skreta et al., 2025).

Every factor q_i solves the Fokker-Planck equation of the noising process; the product $\hat q \propto \prod_i
q_i^{b_i}$ solves it with an additional source term. Particles that move by the summed scores and are weighted by the
source follow the product exactly, up to the time step, and need scores only.

With time $du = \beta_t\, dt$ towards the data, $B = \sum_i b_i > 0$ and the mean score
$\bar s = \frac{1}{B} \sum_i b_i s_i$,

$$dx = B (\tfrac12 x + \bar s)\, du + dW_u, \qquad
d \log w = \tfrac12 \big[ B (B - 1)\, \bar s \cdot (x + \bar s) - \sum_i b_i |s_i - \bar s|^2 \big]\, du.$$

Derivation: each factor satisfies $\partial_u \log q_i = -\frac{d}{2} - \frac12 x \cdot s_i - \frac12 (\nabla \cdot s_i
+ |s_i|^2)$, so the log density of the product satisfies the same equation with $S = B \bar s$ for $s_i$, B d for d and
$\sum_i b_i |s_i|^2$ for $|s_i|^2$. A drift $v = \frac{B}{2} x + \frac12 S$ with a Langevin step of variance du, which
leaves $\hat q_u$ invariant, changes a log density by $-\nabla \cdot v - v \cdot S$; the remaining change of the product
is the log weight. With the coefficient 1/2 of S the unknown divergence of the scores cancels; the coefficient of x is
free. With B/2 the weights stay constant for pure noise, N(0, I / B); the published form has 1/2, which loses effective
sample size there. For B = 1, for example guidance, both are equal.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.algebra.composition import Expression, Leaf, WeightedProduct, evaluate_leaves
from compose_diffusion.algebra.leaves import ClassifierLeaf
from compose_diffusion.diffusion import NoiseSchedule

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(64)


@dataclass(frozen=True, eq=False)
class Population:
    """Weighted samples, and statistics of the run.

    Attributes:
        x: [batch, *event], particles; averages need their weights.
        log_weights: [batch], not normalised: their mean weight estimates Z_0 / Z_T, Z_t being the integral of the
            product of the noised densities at level t; -inf where a score was not finite.
        ess: [levels], effective sample size at each level, before resampling.
        num_resamplings: how often the population was resampled.
    """

    x: Float[Tensor, "batch *event"]
    log_weights: Float[Tensor, " batch"]
    ess: Float[Tensor, " levels"]
    num_resamplings: int

    def estimate(self, values: Float[Tensor, "batch *any"]) -> Float[Tensor, "*any"]:
        r"""$\sum_n w_n f(x_n) / \sum_n w_n$ for the values f(x_n); particles of weight 0 are ignored."""
        weights = torch.softmax(self.log_weights, dim=0).to(values)
        weights = weights.reshape(-1, *[1] * (values.ndim - 1))
        return torch.where(weights > 0, weights * values, 0.0).sum(dim=0)

    def resampled(self, generator: torch.Generator) -> Float[Tensor, "batch *event"]:
        """Equally weighted samples of the same number, some of them equal."""
        return self.x[systematic_ancestors(self.log_weights, generator)]


def effective_sample_size(log_weights: Float[Tensor, " batch"]) -> float:
    r"""$(\sum_n w_n)^2 / \sum_n w_n^2$: the batch size for equal weights, 1 if one particle has all the weight."""
    return float(torch.exp(2 * torch.logsumexp(log_weights, dim=0) - torch.logsumexp(2 * log_weights, dim=0)))


def systematic_ancestors(log_weights: Float[Tensor, " batch"], generator: torch.Generator) -> Int[Tensor, " batch"]:
    """Systematic resampling: n w_i copies of particle i, rounded up or down, from one uniform random number.

    Raises:
        UsageError: every weight is 0.
    """
    fractions = torch.softmax(log_weights, dim=0)
    if not bool(fractions.isfinite().all()):
        raise UsageError(
            f"all {len(log_weights)} weights are 0, expected particles with finite scores; lower the guidance or "
            "check the models at the highest level"
        )
    uniform = torch.rand(1, generator=generator, dtype=fractions.dtype, device=fractions.device)
    comb = (torch.arange(len(fractions), device=fractions.device) + uniform) / len(fractions)
    cumulative = torch.cumsum(fractions, dim=0)
    # Rounding may leave the last entry below 1: then the last particle with positive weight is taken.
    last = int(torch.nonzero(fractions)[-1])
    return torch.searchsorted(cumulative, comb).clamp(max=last)


@dataclass(frozen=True, eq=False)
class CorrectorSteps:
    """For each level t: x_{t-1} = current * x_t + clean * X_t + sqrt(variance) * noise, with clean estimate X_t.

    `clock` is the time u of the step, log(abar_{t-1} / abar_t). At level 0 the step is the clean estimate itself.
    """

    current: Float[Tensor, " levels"]
    clean: Float[Tensor, " levels"]
    variance: Float[Tensor, " levels"]
    clock: Float[Tensor, " levels"]


def corrector_steps(schedule: NoiseSchedule, total_weight: float) -> CorrectorSteps:
    r"""The corrector's drift, integrated exactly from level to level with the clean estimate X held fixed.

    With $\bar s = -(x - \sqrt{\bar\alpha} X) / \sigma^2$ the drift is linear in x. By $k = \sqrt{\bar\alpha} /
    \sigma^2$, x is multiplied by $(k_t / k_{t-1})^B$, the coefficient of X is $B \int (k / k_{t-1})^B
    \sqrt{\bar\alpha}\, d\ell$ and the variance is $\int (k / k_{t-1})^{2B} \sigma^2\, d\ell$, $\ell$ being the log SNR.
    Exact for pure noise and for data at one point; for B = 1 it is the ancestral step with posterior variance.

    Args:
        schedule: levels.
        total_weight: B, above 0.
    """
    log_snr = torch.special.logit(schedule.alphas_cumprod.double().cpu()).numpy()
    later, earlier = log_snr[1:], log_snr[:-1]  # a step goes from `later`, level t, down to `earlier`, level t - 1
    middle, half = (earlier + later) / 2, (earlier - later) / 2
    nodes = middle[:, None] + half[:, None] * _NODES

    def log_k(log_snr: np.ndarray) -> np.ndarray:
        return 0.5 * (log_snr + np.logaddexp(0.0, log_snr))

    fractions = total_weight * (log_k(nodes) - log_k(earlier)[:, None])
    root_abar, squared_sigma = np.exp(-0.5 * np.logaddexp(0.0, -nodes)), np.exp(-np.logaddexp(0.0, nodes))
    clean = total_weight * half * ((np.exp(fractions) * root_abar) @ _NODE_WEIGHTS)
    variance = half * ((np.exp(2 * fractions) * squared_sigma) @ _NODE_WEIGHTS)
    current = np.exp(total_weight * (log_k(later) - log_k(earlier)))
    log_abar = -np.logaddexp(0.0, -log_snr)
    return CorrectorSteps(
        current=torch.from_numpy(np.concatenate([[0.0], current])),
        clean=torch.from_numpy(np.concatenate([[1.0], clean])),
        variance=torch.from_numpy(np.concatenate([[0.0], variance])),
        clock=torch.from_numpy(np.diff(log_abar, prepend=0.0) * -1.0),
    )


@dataclass(frozen=True, eq=False)
class WeightedScores:
    """Mean score, and the rate of the log weight, at one level."""

    mean: Float[Tensor, "batch *event"]
    rate: Float[Tensor, " batch"]

    def of(self, ancestors: Int[Tensor, " batch"]) -> "WeightedScores":
        """Those of a resampled population."""
        return WeightedScores(self.mean[ancestors], self.rate[ancestors])

    def clean(self, x: Tensor, t: int, schedule: NoiseSchedule) -> Float[Tensor, "batch *event"]:
        """The clean estimate, the weighted mean of those of the factors."""
        alpha_bar = float(schedule.alphas_cumprod[t])
        return (x + (1 - alpha_bar) * self.mean) / math.sqrt(alpha_bar)


def weighted_scores(factors: Mapping[Leaf, float], x: Float[Tensor, "batch *event"], t: int) -> WeightedScores:
    """Mean score and weight rate at level t from the scores of all factors (one call for leaves of one network)."""
    evaluations = evaluate_leaves(list(factors), x, t, dict.fromkeys(factors, False))
    total = sum(factors.values())
    mean = torch.zeros_like(x)
    for leaf, weight in factors.items():
        mean = mean + weight / total * evaluations[leaf].score
    rate = total * (total - 1) * (mean * (x + mean)).flatten(1).sum(dim=1)
    for leaf, weight in factors.items():
        rate = rate - weight * (evaluations[leaf].score - mean).flatten(1).square().sum(dim=1)
    return WeightedScores(mean, 0.5 * rate)


def product_factors(expression: Expression, schedule: NoiseSchedule) -> dict[Leaf, float]:
    """The weight of every leaf in a product of products; weights of a repeated leaf are added.

    Raises:
        UsageError: anything that is not a weighted product of densities, weights that change from level to level or
            sum to 0 or less.
    """
    top = len(schedule) - 1
    factors = _flatten(expression, top)
    for t in range(top):
        here = _flatten(expression, t)
        for leaf, weight in factors.items():
            if not math.isclose(here[leaf], weight, rel_tol=1e-6, abs_tol=1e-9):
                raise UsageError(
                    f"a weight of the product is {here[leaf]:.3g} at level {t} and {weight:.3g} at level {top}, "
                    "expected one weight for all levels: the corrector follows fixed powers; use MCMC for others"
                )
    total = sum(factors.values())
    if total <= 0:
        raise UsageError(
            f"weights of the product sum to {total:.3g}, expected a sum above 0: the product of pure noise would not "
            "be a density; weaken the negation"
        )
    return {leaf: weight for leaf, weight in factors.items() if weight != 0}


def _flatten(expression: Expression, t: int) -> dict[Leaf, float]:
    if isinstance(expression, ClassifierLeaf):
        raise UsageError(
            "the Feynman-Kac corrector was given a classifier, expected densities of noised data: p(y | x) does not "
            "diffuse; use a conditional model with guidance(), or MCMC"
        )
    if isinstance(expression, Leaf):
        return {expression: 1.0}
    if not isinstance(expression, WeightedProduct):
        raise UsageError(
            f"the Feynman-Kac corrector was given a {type(expression).__name__}, expected a weighted product of "
            "models; draw mixtures with 'reverse' or 'reverse-mcmc'"
        )
    factors: dict[Leaf, float] = {}
    for term, weight in zip(expression.terms, expression.weights, strict=True):
        if isinstance(weight, Tensor):
            power = float(weight[t])
        else:
            power = float(weight(t)) if callable(weight) else float(weight)
        for leaf, inner in _flatten(term, t).items():
            factors[leaf] = factors.get(leaf, 0.0) + power * inner
    return factors
