"""What follows from the paper's own tables."""

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Table
from scipy.stats import spearmanr

from hares.data.published import published_rows
from hares.data.tasks import DOMAINS, TASKS


def suite(_: ClaimContext) -> Evidence:
    """Number of tasks and of classes of the suite."""
    measured = [Measurement.exact("tasks", len(TASKS))]
    measured += [
        Measurement.exact(f"{domain} tasks", sum(task.domain == domain for task in TASKS)) for domain in DOMAINS
    ]
    measured.append(Measurement.exact("classes", sum(task.classes for task in TASKS)))
    rows = [(task.name, task.domain, str(task.classes), task.metric, task.probe, task.test_parts) for task in TASKS]
    table = Table("tasks", ("task", "domain", "classes", "metric", "probe", "test"), tuple(rows))
    return Evidence("", tuple(measured), (table,))


def correlations(_: ClaimContext) -> Evidence:
    """Rank correlations of AudioSet with the HARES score and with the environment score, and errors of the means."""
    rows = published_rows()
    audioset = [row.scores[0] for row in rows]
    errors = [abs(row.computed()[name] - row.printed[name]) for row in rows for name in (*DOMAINS, "hares")]
    measured = [
        Measurement.exact(
            f"AudioSet and {name}",
            spearmanr(audioset, [row.printed[name] for row in rows]).statistic,  # pyright: ignore
        )
        for name in ("environment", "speech", "music", "hares")
    ]
    # Environment without AudioSet itself, which is one of its four tasks.
    others = [np.mean(row.scores[1:4]) for row in rows]
    measured.append(
        Measurement.exact(
            "AudioSet and environment without AudioSet",
            spearmanr(audioset, others).statistic,  # pyright: ignore
        )
    )
    measured.append(Measurement.exact("largest error of a printed mean", max(errors)))
    return Evidence("", tuple(measured))
