"""Quality against diversity: AR-NLL over the entropy of tokens, a curve for each knob of the sampler (paper, figure 5).

Low AR-NLL alone says little, since repetitive text has it too: samplers are compared at the entropy of the data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from onepaper.claims.statistics import Interval, student_t_interval
from onepaper.display.plots import FONT, INK, MARKERS, PALETTE, SMALL_FONT, place_legend, plot_axes

from cdcd.config import SamplingOptions
from cdcd.evaluation.completions import Prompts, evaluate_completions
from cdcd.evaluation.evaluators import Evaluators
from cdcd.models.denoiser import CategoricalDiffusion

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FrontierPoint(NamedTuple):
    """One way to sample: its value of the knob, and means over seeds with their intervals.

    Attributes:
        label: stands beside the point.
        entropy: of the tokens, in nats.
        ar_nll: of the sampled tokens, in nats.
    """

    label: str
    entropy: Interval
    ar_nll: Interval


def frontier_point(label: str, rows: Sequence[Mapping[str, float]]) -> FrontierPoint:
    """The point of some measurements (`Evaluators.measure`), one a seed; a single one has no interval."""
    entropy, ar_nll = (student_t_interval([row[key] for row in rows]) for key in ("entropy", "ar_nll_completion"))
    return FrontierPoint(label, entropy, ar_nll)


def sweep_knob(
    model: CategoricalDiffusion,
    prompts: Prompts,
    evaluators: Evaluators,
    options: SamplingOptions,
    knob: str,
    values: Sequence[float],
    seeds: Sequence[int],
) -> list[FrontierPoint]:
    """Completions at some values of one option, all else equal.

    Args:
        model: the network.
        prompts: what is completed.
        evaluators: of the completions.
        options: of the sampler; the field `knob` is replaced.
        knob: name of a field of `SamplingOptions`.
        values: of that field.
        seeds: of the noise.

    Raises:
        UsageError: a value that the sampler does not take.
    """
    variants = {f"{value:g}": replace(options, **{knob: value}) for value in values}
    return [
        frontier_point(label, [evaluate_completions(model, prompts, evaluators, variant, seed=seed) for seed in seeds])
        for label, variant in variants.items()
    ]


def draw_frontier(
    curves: Mapping[str, Sequence[FrontierPoint]], references: Mapping[str, FrontierPoint] | None = None
) -> "Figure":
    """AR-NLL over entropy with 95% intervals of both: better is lower at equal entropy.

    Args:
        curves: points of each knob in the order of its values, by its name.
        references: single points by name, such as held-out text.
    """
    figure, axes = plot_axes("entropy of the tokens in nats", "AR-NLL in nats")

    def draw(points: Sequence[FrontierPoint], **style: Any) -> None:
        ends = np.array([(point.entropy, point.ar_nll) for point in points])  # points, quantities, (estimate, ends)
        middle, low, high = np.moveaxis(ends, -1, 0)
        errors = np.stack([middle - low, high - middle])
        axes.errorbar(*middle.T, xerr=errors[..., 0], yerr=errors[..., 1], capsize=2, elinewidth=0.8, **style)

    for number, (name, points) in enumerate(curves.items()):
        color, marker = PALETTE[number % len(PALETTE)], MARKERS[number % len(MARKERS)]
        draw(points, label=name, color=color, marker=marker)
        for point in points:
            place = point.entropy.estimate, point.ar_nll.estimate
            axes.annotate(point.label, place, (4, 4), textcoords="offset points", color=color, fontsize=SMALL_FONT - 2)
    for number, (name, point) in enumerate((references or {}).items()):
        draw([point], label=name, color=INK, marker="*+x"[number % 3], linestyle="none")
    place_legend(axes)
    axes.set_title("better: lower at equal entropy", fontsize=FONT - 1, loc="left")
    return figure
