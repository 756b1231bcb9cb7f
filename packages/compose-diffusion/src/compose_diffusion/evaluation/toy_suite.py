"""The nine-task suite of compositions of the plane (CompLift benchmark, arXiv 2505.13740): tasks, targets and measures.

The targets of two tasks are empty: their terms share no point, or the negation removes all points. Every sampler
returns points, so these tasks are shown in figures but excluded from averages.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from onepaper.config import unknown
from onepaper.errors import UsageError
from scipy.spatial import KDTree
from torch import Tensor

from compose_diffusion.algebra.composition import Expression, Leaf, WeightedProduct, mixture, product
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.circles import Circle
from compose_diffusion.data.distributions import (
    Distribution,
    GaussianMixture,
    MixtureDistribution,
    UniformBox,
    centred_box,
    column,
    frame,
    ring_and_bar,
)
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.evaluation.exact_toy import Measures, diagnose
from compose_diffusion.evaluation.learned_toy import draw_points
from compose_diffusion.evaluation.metrics import box_fraction, mode_accuracy
from compose_diffusion.samplers.samplers import SampleResult

# Samples within this distance of a circle, or of an intersection of two, count as on it.
CIRCLE_TOLERANCE = 0.1
NEGATION_STRENGTH = 0.5
LEFT_CIRCLE, RIGHT_CIRCLE = Circle([-0.5, 0.0]), Circle([0.5, 0.0])
LEFT_BOX, RIGHT_BOX = UniformBox([-1.0, -1.0], [-0.5, 1.0]), UniformBox([0.5, -1.0], [1.0, 1.0])
# Intersections of the two unit circles.
CROSSINGS = torch.tensor([[0.0, math.sqrt(3) / 2], [0.0, -math.sqrt(3) / 2]], dtype=torch.float64)
COLUMNS = GaussianMixture(torch.cat([column(-0.25).means, column(0.25).means]), std=0.03)

Points = Float[Tensor, "num_samples 2"]
Sampler = Callable[[int, torch.Generator], Tensor]


@dataclass(frozen=True, eq=False)
class SuiteTask:
    """One composition of two distributions.

    Attributes:
        name: e.g. "product-a".
        operator: of the composition.
        terms: names of the distributions.
        target: sampler of the clean target; None if it is empty.
        accuracy: fraction of samples on the support of the target; None if it is empty.
    """

    name: str
    operator: Literal["product", "mixture", "negation"]
    terms: tuple[str, str]
    target: Sampler | None = None
    accuracy: Callable[[Points], float] | None = None

    @property
    def empty(self) -> bool:
        """Whether the target is empty."""
        return self.target is None


def compose(task: SuiteTask, leaves: Mapping[str, Leaf]) -> Expression:
    """Product, equal mixture, or negation: the first log density minus half of the second."""
    first, second = (leaves[name] for name in task.terms)
    if task.operator == "product":
        return product(first, second)
    if task.operator == "mixture":
        return mixture([first, second])
    return WeightedProduct([first, second], [1.0, -NEGATION_STRENGTH])


def measure(task: SuiteTask, x: Points, seed: int) -> Measures:
    """Support accuracy, and Chamfer distance to an equal number of true samples; empty for a task without target."""
    if task.target is None or task.accuracy is None:
        return {}
    target = task.target(len(x), torch.Generator().manual_seed(seed + 10_000))
    return {"accuracy": task.accuracy(x), "Chamfer distance": chamfer_distance(x, target)}


def run_task(
    task: SuiteTask,
    leaves: Mapping[str, Leaf],
    schedule: NoiseSchedule,
    options: SamplerOptions,
    num_samples: int,
    seed: int,
) -> tuple[SampleResult, Measures]:
    """Sample a task; returns the result, and measures of samples (none for an empty target) and run.

    Every point has its own accept decision, so results do not depend on the number of points drawn together.
    """
    result = draw_points(compose(task, leaves), schedule, options, num_samples, seed)
    return result, {**measure(task, result.x, seed), **diagnose(result)}


def chamfer_distance(x: Points, y: Float[Tensor, "num_targets 2"]) -> float:
    r"""$\frac{1}{n} \sum_i \min_j |x_i - y_j| + \frac{1}{m} \sum_j \min_i |x_i - y_j|$.

    It measures distances to nearest points only, not how often a region is visited.
    """
    if len(x) == 0 or len(y) == 0:
        raise UsageError(f"Chamfer distance of {len(x)} and {len(y)} points, expected at least one of each")
    left, right = x.double().cpu().numpy(), y.double().cpu().numpy()
    there, back = KDTree(right).query(left)[0], KDTree(left).query(right)[0]
    return float(there.mean() + back.mean())


def near_circles(x: Points) -> float:
    """Fraction of samples within 0.1 of one of the two circles (curves, not discs)."""
    distances = [((x.double() - c.centre).norm(dim=1) - c.radius).abs() for c in (LEFT_CIRCLE, RIGHT_CIRCLE)]
    return float((torch.stack(distances).amin(dim=0) <= CIRCLE_TOLERANCE).double().mean())


def near_crossings(x: Points) -> float:
    """Fraction of samples within 0.1 of an intersection of the circles."""
    return float((torch.cdist(x.double(), CROSSINGS).amin(dim=1) <= CIRCLE_TOLERANCE).double().mean())


def _crossings(num_samples: int, generator: torch.Generator) -> Tensor:
    return CROSSINGS[torch.randint(2, (num_samples,), generator=generator)]


def _either(*components: Distribution) -> Sampler:
    both = MixtureDistribution(components)
    return lambda num_samples, generator: both.sample(num_samples, generator)


_BOXES = ("suite-left-box", "suite-right-box")
_CIRCLES = ("suite-left-circle", "suite-right-circle")

SUITE: dict[str, SuiteTask] = {
    task.name: task
    for task in (
        SuiteTask("product-a", "product", ("ring", "suite-narrow-bar"), ring_and_bar().sample, mode_accuracy),
        SuiteTask("product-b", "product", _CIRCLES, _crossings, near_crossings),
        SuiteTask("product-c", "product", _BOXES),
        SuiteTask(
            "mixture-a",
            "mixture",
            ("suite-left-column", "suite-right-column"),
            COLUMNS.sample,
            lambda x: mode_accuracy(x, COLUMNS),
        ),
        SuiteTask(
            "mixture-b",
            "mixture",
            _BOXES,
            _either(LEFT_BOX, RIGHT_BOX),
            lambda x: box_fraction(x, [LEFT_BOX, RIGHT_BOX]),
        ),
        SuiteTask("mixture-c", "mixture", _CIRCLES, _either(LEFT_CIRCLE, RIGHT_CIRCLE), near_circles),
        SuiteTask(
            "negation-a",
            "negation",
            ("suite-big-box", "suite-small-box"),
            frame(1.0, 0.5).sample,
            lambda x: box_fraction(x, [centred_box(1.0)], [centred_box(0.5)]),
        ),
        SuiteTask(
            "negation-b",
            "negation",
            ("suite-big-box", "suite-tall-bar"),
            _either(LEFT_BOX, RIGHT_BOX),
            lambda x: box_fraction(x, [LEFT_BOX, RIGHT_BOX]),
        ),
        SuiteTask("negation-c", "negation", ("suite-small-box", "suite-big-box")),
    )
}


def suite_task(name: str) -> SuiteTask:
    """The named task of `SUITE`.

    Raises:
        UsageError: no such task; the message has the most similar name.
    """
    if name not in SUITE:
        raise UsageError(unknown("suite task", name, SUITE))
    return SUITE[name]
