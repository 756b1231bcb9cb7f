"""Embeddings on mini-HARES, paired clip by clip."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onepaper.claims import Artifact, ClaimContext, Evidence, Measurement, Plot, Sound, Table

from hares.data.embedded import RATE
from hares.data.mini import EMBEDDED_TASKS, mini_task
from hares.evaluation import TaskResult, domain_gaps, evaluate_task
from hares.figures import critical_difference, gap_matrix, radar
from hares.hear import open_embedding
from hares.probing.scores import bootstrap_over_groups

_NAMES = ("simclr", "random", "statistics")
# A sound of each domain, a second each, as the parts that are embedded.
_HEARD = ("mini_sounds", "mini_vowels", "mini_instruments")


def _evaluate(name: str) -> dict[str, Any]:
    embedding = open_embedding(name)
    return {task.name: evaluate_task(embedding, task).correct for task in EMBEDDED_TASKS}


def compare(context: ClaimContext) -> Evidence:
    """Accuracy on every mini task, and differences from the shipped network of the untrained one and of statistics."""
    correct = {name: context.arm(f"mini {name}", 0, lambda name=name: _evaluate(name)) for name in _NAMES}
    measured, rows = [], []
    for task in EMBEDDED_TASKS:
        groups = [clip.group for clip in task.clips()]
        for name in _NAMES:
            values = np.asarray(correct[name][task.name])
            score = bootstrap_over_groups(values, groups)
            rows.append((task.name, task.domain, name, f"{score.mean:.3f}", f"[{score.low:.3f}, {score.high:.3f}]"))
        for name in _NAMES[1:]:
            difference = np.asarray(correct[_NAMES[0]][task.name]) - np.asarray(correct[name][task.name])
            # One value a group: clips of a group are not independent.
            means = [difference[[group == wanted for group in groups]].mean() for wanted in sorted(set(groups))]
            measured.append(Measurement.over_examples(f"{task.name}, {_NAMES[0]} - {name}", means))
    table = Table("accuracy", ("task", "domain", "embedding", "accuracy", "95% interval"), tuple(rows))
    return Evidence("", tuple(measured), (table, *_shown(correct)))


def _shown(correct: Mapping[str, Mapping[str, npt.NDArray[np.float64]]]) -> list[Artifact]:
    """Figures of the accuracies, and a second of a clip of each domain."""
    found = {
        name: [
            # Chance, which no figure shows, is not among what an arm keeps.
            TaskResult(task.name, task.domain, each[task.name], tuple(clip.group for clip in task.clips()), np.nan)
            for task in EMBEDDED_TASKS
        ]
        for name, each in correct.items()
    }
    scores = {name: {result.task: float(result.correct.mean()) for result in each} for name, each in found.items()}
    plots: list[Artifact] = [
        Plot("Accuracy on each task", radar(scores)),
        Plot("Mean ranks over the tasks", critical_difference(scores), "A bar joins ranks that do not differ."),
        Plot(
            "Difference from the best other embedding", gap_matrix(domain_gaps(found)), "By domain, with 95% intervals."
        ),
    ]
    for task in map(mini_task, _HEARD):
        clip = task.clips()[0]
        plots.append(Sound(f"{task.domain.capitalize()}: a second of a clip of {task.name}", clip.samples[:RATE], RATE))
    return plots
