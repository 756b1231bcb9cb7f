"""Compositions of trained networks of the plane; measures of the networks and of the samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from onepaper.config import check_choice, check_positive
from torch import Tensor

from compose_diffusion.algebra.composition import Expression, Leaf, WeightedProduct, mixture, product
from compose_diffusion.algebra.leaves import EnergyLeaf, PredictionLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.config.toy import TASKS, ToyExactConfig
from compose_diffusion.data.distributions import LOG_2_PI, Distribution, centred_box, frame
from compose_diffusion.diffusion import NoiseSchedule, add_noise
from compose_diffusion.evaluation.exact_toy import Measures, diagnose
from compose_diffusion.evaluation.exact_toy import measure as measure_exact
from compose_diffusion.evaluation.metrics import box_fraction, mmd2
from compose_diffusion.models.toy import ToyEnergy, ToyNetwork, load_network
from compose_diffusion.samplers.samplers import SampleResult, draw_official

# The two distributions of each task, in the order of its formula.
TERMS = {"product": ("ring", "bar"), "mixture": ("left-bar", "right-bar"), "negation": ("big-box", "small-box")}
MIXTURE_FORMS = ("scaled", "official")
# Official toy notebook: factor inside the logarithm of its sum, and weights of its negation.
OFFICIAL_INVERSE_TEMPERATURE = 3.5
NEGATION_WEIGHTS = (1.3, -0.3)
# Points of the line integral that replaces energy differences in the Metropolis test of score networks.
LINE_POINTS = 3
OUTER_BOX, INNER_BOX = centred_box(0.7), centred_box(0.3)


def network_leaf(network: ToyNetwork, schedule: NoiseSchedule) -> Leaf:
    """A trained network as a leaf: log density and score of an energy, or a score alone."""
    if isinstance(network, ToyEnergy):
        return EnergyLeaf(network, schedule)
    return PredictionLeaf(network, schedule)


def load_leaves(folder: str | Path, components: Sequence[str], schedule: NoiseSchedule) -> dict[str, Leaf]:
    """Trained networks as leaves by name, from the folder of a `train` run or its export.

    Raises:
        UsageError: a component's folder is missing, or holds a model of another kind.
    """
    return {name: network_leaf(load_network(Path(folder) / name), schedule) for name in components}


def official_mixture(
    leaves: Sequence[Leaf], schedule: NoiseSchedule, inverse_temperature: float = OFFICIAL_INVERSE_TEMPERATURE
) -> Expression:
    r"""OR of the official toy notebook: $L = \frac{1}{\sigma_t} \log \sum_i \exp(-b f_i)$ with $b = 3.5$.

    The sum is over exp(-b f) and not over the densities exp(-f / sigma_t): the temperature does not follow the noise
    level, and where one term dominates, the density is that term to the power b.

    Args:
        leaves: at least one, with energies f_i = -sigma_t L_i.
        schedule: noise levels of the leaves.
        inverse_temperature: b.
    """
    check_positive("inverse_temperature", inverse_temperature)
    sigma = schedule.sigma
    tempered = [leaf @ (inverse_temperature * sigma) for leaf in leaves]
    return mixture(tempered, torch.zeros(len(leaves))) @ (1 / sigma)


def compose(
    task: str, leaves: Mapping[str, Leaf], schedule: NoiseSchedule, *, mixture_form: str = "scaled"
) -> Expression:
    """The task's composition.

    Args:
        task: "product", ring and bar; "mixture", left or right bar; "negation", 1.3 big box - 0.3 small box.
        leaves: by the names of `TERMS`.
        schedule: noise levels of the leaves.
        mixture_form: "scaled", the sum of densities exp(-f / sigma_t); or "official", see `official_mixture`.

    Raises:
        UsageError: an unknown task or form, or a mixture of leaves without energies.
    """
    check_choice("task", task, TASKS)
    check_choice("mixture_form", mixture_form, MIXTURE_FORMS)
    terms = [leaves[name] for name in TERMS[task]]
    if task == "product":
        return product(*terms)
    if task == "negation":
        return WeightedProduct(terms, NEGATION_WEIGHTS)
    return mixture(terms) if mixture_form == "scaled" else official_mixture(terms, schedule)


def measure(task: str, x: Float[Tensor, "num_samples 2"], seed: int) -> Measures:
    """Measures of samples against the target of the task; products and mixtures as in the exact toy.

    A negation of boxes has no clean density (it divides by zero outside the small box). Its measures are the fraction
    of samples inside the big box and outside the small one, and the discrepancy to the uniform distribution there.
    """
    check_choice("task", task, TASKS)
    if task == "negation":
        target = frame().sample(len(x), torch.Generator().manual_seed(seed + 10_000))
        return {"inside": box_fraction(x, [OUTER_BOX], [INNER_BOX]), "MMD^2": mmd2(x, target)}
    return measure_exact(ToyExactConfig(task="product" if task == "product" else "mixture"), x, seed)


def draw_points(
    expression: Expression, schedule: NoiseSchedule, options: SamplerOptions, num_samples: int, seed: int
) -> SampleResult:
    """Sample points of the plane in float32; MALA and HMC use line integrals if there is no energy."""
    if not expression.has_energy and options.kernel in ("mala", "hmc"):
        options = replace(options, line_points=options.line_points or LINE_POINTS)
    return draw_official(expression, schedule, (num_samples, 2), options, torch.Generator().manual_seed(seed))


def run_task(
    task: str,
    leaves: Mapping[str, Leaf],
    schedule: NoiseSchedule,
    options: SamplerOptions,
    num_samples: int,
    seed: int,
    *,
    mixture_form: str = "scaled",
) -> tuple[SampleResult, Measures]:
    """Sample the composition of a task; returns the result, and measures of samples and run.

    Args:
        task: see `compose`.
        leaves: by the names of `TERMS`.
        schedule: noise levels of the leaves.
        options: the sampler, e.g. `ToyExactConfig().sampler("hmc")` for the official toy's.
        num_samples: how many points.
        seed: of the sampler and, as a different stream, of the true samples for comparison.
        mixture_form: see `compose`.
    """
    result = draw_points(
        compose(task, leaves, schedule, mixture_form=mixture_form), schedule, options, num_samples, seed
    )
    return result, {**measure(task, result.x, seed), **diagnose(result)}


@dataclass(frozen=True, eq=False)
class DenoisingErrors:
    r"""Mean of $|\hat\epsilon - \epsilon|^2$, summed over axes, at each level, on held-out points of a distribution.

    Attributes:
        errors: [levels].
        schedule: the noise levels.
        second_moment: mean of |x_0|^2 over the clean points.
        dim: number of axes.
    """

    errors: Float[Tensor, " levels"]
    schedule: NoiseSchedule
    second_moment: float
    dim: int

    @property
    def loss(self) -> float:
        """The noise loss that training minimises: mean over levels and axes."""
        return float(self.errors.mean()) / self.dim

    @property
    def elbo(self) -> float:
        r"""Evidence lower bound on $E \log p(x_0)$ in nats a sample, with variance $\beta_t$ in the reverse steps.

        With $E_t$ the error at level t, $SNR_t = \bar\alpha_t / \sigma_t^2$ and $r_t = \tilde\beta_t / \beta_t$, the
        step from level t to t - 1 costs
        $\frac{r_t}{2} (\frac{SNR_{t-1}}{SNR_t} - 1) E_t + \frac{D}{2} (r_t - 1 - \log r_t)$. The last step, a Gaussian
        as wide as the lowest level's noise, costs $\frac{1}{2} E_0 + \frac{D}{2} \log(2 \pi / SNR_0)$, and the start
        $KL(q(x_T | x_0) \| N(0, I))$.
        """
        log_snr, sigma2 = self.schedule.log_snr, 1 - self.schedule.alphas_cumprod
        ratio = sigma2[:-1] / sigma2[1:]
        weights = ratio * torch.expm1(log_snr[:-1] - log_snr[1:]) / 2
        steps = weights * self.errors[1:] + self.dim / 2 * (ratio - 1 - ratio.log())
        last = self.errors[0] / 2 + self.dim / 2 * (LOG_2_PI - log_snr[0])
        alpha_bar = self.schedule.alphas_cumprod[-1]
        start = (alpha_bar * self.second_moment - self.dim * (alpha_bar + torch.log1p(-alpha_bar))) / 2
        return -float(steps.sum() + last + start)


def denoising_errors(
    leaf: Leaf, distribution: Distribution, schedule: NoiseSchedule, *, points_per_level: int = 2000, seed: int = 0
) -> DenoisingErrors:
    """Errors of a leaf's noise prediction on held-out points; equal seeds give equal points.

    An `ExactLeaf` has the smallest possible errors.

    Args:
        leaf: exact or trained.
        distribution: that of the leaf.
        schedule: its noise levels, all of which are measured.
        points_per_level: number of points at each level.
        seed: of points and noise, different from those of training.
    """
    check_positive("points_per_level", points_per_level)
    generator = torch.Generator().manual_seed(seed)
    errors = torch.empty(len(schedule), dtype=torch.float64)
    second_moment = 0.0
    for t in range(len(schedule)):
        clean = distribution.sample(points_per_level, generator, torch.float32)
        noise = torch.randn(clean.shape, generator=generator)
        predicted = leaf.evaluate(add_noise(clean, noise, t, schedule), t, energy=False).predicted_noise(t, schedule)
        errors[t] = (predicted - noise).double().square().sum(dim=1).mean()
        second_moment += float(clean.double().square().sum(dim=1).mean()) / len(schedule)
    return DenoisingErrors(errors, schedule, second_moment, distribution.dim)
