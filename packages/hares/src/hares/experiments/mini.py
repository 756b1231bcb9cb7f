"""Embeddings on mini-HARES, paired clip by clip."""

from typing import Any

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Table

from hares.data.mini import EMBEDDED_TASKS
from hares.evaluation import evaluate_task
from hares.hear import open_embedding
from hares.probing.scores import bootstrap_over_groups

_NAMES = ("simclr", "random", "statistics")


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
    return Evidence("", tuple(measured), (table,))
