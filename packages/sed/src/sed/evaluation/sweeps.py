"""Sweeps over sampling options: quality, diversity and time of the samples of one task."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from onepaper.display.file_bytes import figure_png
from onepaper.display.plots import lines

from sed.config import SamplingOptions
from sed.evaluation.evaluators import Evaluators
from sed.evaluation.tasks import Task
from sed.models.denoiser import EmbeddingDiffusion
from sed.pretrained.networks import Network
from sed.sampling import Sampler


class Setting(NamedTuple):
    """A point of the grid."""

    steps: int
    guidance: float

    def __str__(self) -> str:
        return f"{self.steps} steps, guidance {self.guidance:g}"


Rows = Mapping[Setting, Mapping[str, float]]


def sweep(
    network: Network[EmbeddingDiffusion],
    evaluators: Evaluators,
    task: Task,
    settings: Sequence[Setting],
    options: SamplingOptions,
    *,
    seed: int = 0,
) -> dict[Setting, dict[str, float]]:
    """What `Evaluators.measure` finds at each setting, with `seconds` for each sample, without compilation.

    Args:
        network: that samples.
        evaluators: of the samples.
        task: windows of held-out text, and what is given of them.
        settings: points of the grid.
        options: the other options of sampling.
        seed: of the noise, the same at each setting.

    Raises:
        UsageError: more steps than the schedule has.
    """
    rows = {}
    for setting in settings:
        sampler = Sampler(network.model, replace(options, steps=setting.steps, guidance=setting.guidance))
        sampler.sample(task.tokens[: sampler.batch_size], task.cond_mask[: sampler.batch_size], seed=seed)  # compiles
        begun = time.perf_counter()
        tokens = sampler.sample(task.tokens, task.cond_mask, seed=seed).tokens
        seconds = (time.perf_counter() - begun) / len(tokens)
        rows[setting] = {**evaluators.measure(tokens, task.cond_mask), "seconds": seconds}
    return rows


def sweep_figures(rows: Rows, held_out: Mapping[str, float]) -> dict[str, bytes]:
    """Figures as PNG by name: AR-NLL by entropy along guidance, and by seconds along steps, with held-out text in both.

    Args:
        rows: of `sweep`.
        held_out: the same measures of held-out text.
    """
    by_steps: dict[str, list[Setting]] = {}
    by_guidance: dict[str, list[Setting]] = {}
    for setting in rows:
        by_steps.setdefault(f"{setting.steps} steps", []).append(setting)
        by_guidance.setdefault(f"guidance {setting.guidance:g}", []).append(setting)

    def curves(groups: Mapping[str, Sequence[Setting]], quantity: str) -> dict[str, tuple[list[float], list[float]]]:
        return {
            name: ([rows[one][quantity] for one in group], [rows[one]["ar_nll"] for one in group])
            for name, group in groups.items()
        }

    seconds = [row["seconds"] for row in rows.values()]
    timed = curves(by_guidance, "seconds") | {"held-out text": ([min(seconds), max(seconds)], [held_out["ar_nll"]] * 2)}
    quality = curves(by_steps, "entropy") | {"held-out text": ([held_out["entropy"]], [held_out["ar_nll"]])}
    return {
        name: figure_png(figure)
        for name, figure in (
            ("quality-and-diversity.png", lines(quality, "unigram entropy in nats", "AR-NLL in nats")),
            (
                "quality-and-time.png",
                lines(timed, "seconds for a sample", "AR-NLL in nats", log_x=True),
            ),
        )
    }
