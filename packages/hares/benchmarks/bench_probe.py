"""A sweep of penalties beside a loop of scikit-learn's logistic regression.

    python bench_probe.py [--rounds 5] [--output FILE]

Features are embeddings of mini-HARES, standardised; both fit the seven penalties of the sweep. scikit-learn has its
default tolerance and as many iterations as it needs. For each penalty the value of the penalised loss is compared:
positive differences mean that ours is lower. They take turns in one process, on one thread (OMP_NUM_THREADS=1), whose
time on the processor is measured: a loaded machine stretches clock times of a fit of 0.05 s beyond use.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onepaper.benchmark import write_result
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from hares.data.mini import mini_task
from hares.evaluation import embed_parts
from hares.hear import open_embedding
from hares.probing.logistic import PENALTIES, fit_logistic, statistics_of

CASES = (("statistics", "mini_vowels"), ("simclr", "mini_pitch"))
Array = npt.NDArray[np.float64]


def loss(inputs: Array, labels: npt.NDArray[np.int64], weight: Array, bias: Array, penalty: float) -> float:
    """The penalised loss that both minimise."""
    entropy = -log_softmax(inputs @ weight + bias, axis=1)[np.arange(len(labels)), labels].mean()
    return float(entropy + penalty / 2 * np.square(weight).sum())


def measure(embedding: str, name: str, rounds: int) -> dict[str, Any]:
    """Ratios of times, and relative differences of losses and accuracies."""
    task = mini_task(name)
    clips = task.clips()
    features, owners = embed_parts(open_embedding(embedding), [clip.samples for clip in clips], task.crop_seconds)
    classes = sorted({clip.label for clip in clips})
    labels = np.array([classes.index(clip.label) for clip in clips])[owners]
    train = np.array([clip.fold for clip in clips])[owners] != 0
    mean, scale = statistics_of(features[train])
    inputs, tested = ((features[rows].astype(np.float64) - mean) * scale for rows in (train, ~train))
    times: dict[str, list[float]] = {"ours": [], "scikit-learn": []}
    for _ in range(rounds):
        begun = time.process_time()
        probes = fit_logistic(features[train], labels[train], len(classes))
        times["ours"].append(time.process_time() - begun)
        begun = time.process_time()
        others = [
            LogisticRegression(C=1 / (penalty * train.sum()), max_iter=100_000).fit(inputs, labels[train])
            for penalty in PENALTIES
        ]
        times["scikit-learn"].append(time.process_time() - begun)
    rows = []
    for penalty, probe, other in zip(PENALTIES, probes, others, strict=True):
        own = loss(inputs, labels[train], probe.weight, probe.bias, penalty)
        theirs = loss(inputs, labels[train], other.coef_.T, other.intercept_, penalty)
        accuracy = (probe.probabilities(features[~train]).argmax(1) == labels[~train]).mean()
        rows.append(
            {
                "penalty": penalty,
                "loss, theirs - ours, relative": (theirs - own) / own,
                "accuracy, ours": float(accuracy),
                "accuracy, theirs": float(other.score(tested, labels[~train])),
            }
        )
    ratios = [theirs / own for theirs, own in zip(times["scikit-learn"], times["ours"], strict=True)]
    return {"rows and width": inputs.shape, "theirs over ours": statistics.median(ratios), "times": times, "fits": rows}


def main() -> None:
    """Measure all cases and print ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    found = {f"{embedding}, {task}": measure(embedding, task, given.rounds) for embedding, task in CASES}
    print(json.dumps({name: each["theirs over ours"] for name, each in found.items()}, indent=1))
    for name, each in found.items():
        print(name, *(f"{fit['loss, theirs - ours, relative']:+.1e}" for fit in each["fits"]))
    write_result(given.output, {"cases": found}, ("numpy", "scipy", "scikit-learn", "torch"))


if __name__ == "__main__":
    main()
