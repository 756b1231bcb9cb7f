"""Evaluate frozen embeddings on mini-HARES: parts of clips, a linear probe a fold, scores with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Float32
from onepaper.errors import UsageError
from torch import Tensor

from hares.data.embedded import RATE
from hares.data.mini import MiniTask
from hares.data.tasks import DOMAINS
from hares.features.keys import arrays_digest, embedding_identity
from hares.features.store import Features, FeatureStore
from hares.probing.logistic import PENALTIES, LinearProbe, fit_logistic
from hares.probing.scores import Score, bootstrap_over_groups, ranking_precision, resampled_means

_BATCH = 64


@runtime_checkable
class Embedding(Protocol):
    """What can be evaluated: waveforms at `rate` to vectors. An `Encoder` is one."""

    rate: int

    def __call__(self, samples: Float[Tensor, "batch samples"], /) -> Float[Tensor, "batch dim"]:
        """Embeddings of clips of equal length, in [-1, 1]."""
        ...


@dataclass(frozen=True)
class TaskResult:
    """Which clips of a task are classified correctly; clips of a group are not independent.

    Where a clip has several classes, `correct` is the precision of their ranking (`ranking_precision`).
    """

    task: str
    domain: str
    correct: npt.NDArray[np.float64]
    groups: tuple[str, ...]
    chance: float
    """share of the most frequent class, or the precision of the ranking by frequency"""

    def score(self) -> Score:
        """Accuracy with its 95% interval over groups."""
        return bootstrap_over_groups(self.correct, self.groups)


def cut_parts(
    samples: Float32[np.ndarray, " samples"], length: int, count: int = 0
) -> Float32[np.ndarray, "parts length"]:
    """Consecutive parts that cover a clip: the last one ends with it; shorter clips are padded with zeros.

    With a `count`, as many parts at equal distances, which may overlap.
    """
    if len(samples) < length:
        samples = np.pad(samples, (0, length - len(samples)))
    starts: Sequence[int] = [*range(0, len(samples) - length, length), len(samples) - length]
    if count:
        starts = np.linspace(0, len(samples) - length, count).round().astype(int).tolist()
    return np.stack([samples[start : start + length] for start in starts])


@torch.no_grad()
def embed_batches(embedding: Embedding, parts: Float32[np.ndarray, "parts length"]) -> Float32[np.ndarray, "parts dim"]:
    """Embeddings of parts of equal length, a batch at a time on the embedding's device.

    Raises:
        UsageError: an embedding is not finite.
    """
    tensors = embedding.parameters() if isinstance(embedding, torch.nn.Module) else iter(())
    device = next(tensors, torch.zeros(())).device
    rows = [
        embedding(torch.from_numpy(parts[start : start + _BATCH]).to(device)).float().cpu().numpy()
        for start in range(0, len(parts), _BATCH)
    ]
    features = np.concatenate(rows)
    if not np.isfinite(features).all():
        raise UsageError("an embedding holds NaN or infinity; nothing is scored")
    return features


def embed_parts(
    embedding: Embedding,
    clips: Sequence[Float32[np.ndarray, " _samples"]],
    seconds: float,
    store: FeatureStore | None = None,
) -> Features:
    """Embeddings of the parts of all clips, and the clip of each part; those of a store are not computed again.

    Raises:
        UsageError: an embedding is not finite, or has no identity, which a store needs.
    """
    length = round(seconds * RATE)

    def compute(start: int, stop: int) -> Features:
        cut = [cut_parts(samples, length) for samples in clips[start:stop]]
        owners = np.repeat(np.arange(start, stop), [len(parts) for parts in cut])
        return Features(embed_batches(embedding, np.concatenate(cut)), owners)

    if store is None:
        return compute(0, len(clips))
    description = {"audio": arrays_digest(clips), "embedding": embedding_identity(embedding), "length": str(length)}
    return store.get(description, len(clips), compute)


def evaluate_task(embedding: Embedding, task: MiniTask, store: FeatureStore | None = None) -> TaskResult:
    """Score one task: each fold is tested with a probe of the others, whose penalty the next fold chooses.

    The probe sees every part of a clip as a row; in the test, probabilities are averaged over the parts of a clip.

    Args:
        embedding: frozen.
        task: with its clips.
        store: keeps the embeddings of the clips.

    Raises:
        UsageError: the embedding expects another sampling rate than the clips have, or is not finite.
    """
    if embedding.rate != RATE:
        raise UsageError(f"the embedding expects {embedding.rate} Hz; the clips have {RATE} Hz")
    clips = task.clips()
    features, owners = embed_parts(embedding, [clip.samples for clip in clips], task.crop_seconds, store)
    named = [clip.label.split(" ") if task.several else [clip.label] for clip in clips]
    classes = sorted({name for names in named for name in names})
    truth = np.array([[float(name in names) for name in classes] for names in named])
    labels = truth if task.several else truth.argmax(1)
    folds = np.array([clip.fold for clip in clips])
    correct = np.zeros(len(clips))
    count = int(folds.max()) + 1
    for fold in range(count):
        chosen = (fold + 1) % count
        inner = ~np.isin(folds[owners], (fold, chosen))
        probes = fit_logistic(features[inner], labels[owners[inner]], len(classes))
        scores = [_correct(probe, features, owners, truth, folds == chosen).mean() for probe in probes]
        best = PENALTIES[int(np.argmax(scores))]
        outer = folds[owners] != fold
        (probe,) = fit_logistic(features[outer], labels[owners[outer]], len(classes), (best,))
        correct[folds == fold] = _correct(probe, features, owners, truth, folds == fold)
    frequencies = np.broadcast_to(truth.mean(0), truth.shape)
    chance = float(ranking_precision(truth, frequencies).mean()) if task.several else float(frequencies.max())
    return TaskResult(task.name, task.domain, correct, tuple(clip.group for clip in clips), chance)


def _correct(
    probe: LinearProbe,
    features: Float32[np.ndarray, "parts dim"],
    owners: npt.NDArray[np.int64],
    truth: npt.NDArray[np.float64],
    tested: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float64]:
    """Of each tested clip, whether the mean of its parts' probabilities is largest at its label.

    Of a task with several classes a clip, the precision of the ranking of the classes.
    """
    kept = tested[owners]
    probabilities = probe.probabilities(features[kept])
    sums = np.zeros((len(truth), probabilities.shape[1]))
    np.add.at(sums, owners[kept], probabilities)
    if probe.link == "sigmoid":
        return ranking_precision(truth[tested], sums[tested])
    return (sums.argmax(1) == truth.argmax(1))[tested].astype(np.float64)


def mean_by_domain(results: Sequence[TaskResult]) -> dict[str, float]:
    """The mean accuracy over the mini tasks of each domain that has one."""
    return {
        domain: float(np.mean([result.correct.mean() for result in results if result.domain == domain]))
        for domain in DOMAINS
        if any(result.domain == domain for result in results)
    }


def compare_domains(first: Sequence[TaskResult], second: Sequence[TaskResult]) -> dict[str, Score]:
    """Mean accuracy of each domain by the first embedding minus that by the second, paired by clip.

    Intervals are over draws of whole groups, which tasks on the same clips share.

    Args:
        first: results of one embedding.
        second: results of the other on the same tasks, in the same order.

    Raises:
        UsageError: other tasks.
    """
    if [result.task for result in first] != [result.task for result in second]:
        raise UsageError("results of different tasks cannot be compared; evaluate both embeddings on the same ones")
    found: dict[str, Score] = {}
    for domain in mean_by_domain(first):
        pairs = [(a, b) for a, b in zip(first, second, strict=True) if a.domain == domain]
        draws = np.mean([resampled_means(a.correct - b.correct, a.groups) for a, b in pairs], axis=0)
        low, high = np.quantile(draws, (0.025, 0.975))
        found[domain] = Score(
            float(np.mean([(a.correct - b.correct).mean() for a, b in pairs])), float(low), float(high)
        )
    return found


def domain_gaps(results: Mapping[str, Sequence[TaskResult]]) -> dict[str, dict[str, tuple[str, Score]]]:
    """Embedding -> domain -> the best other embedding there, and the difference from it (paper, section 3.1).

    A specialist is first at home and far behind elsewhere.

    Raises:
        UsageError: fewer than two embeddings, or results of different tasks.
    """
    if len(results) < 2:
        raise UsageError(f"{len(results)} embedding: gaps are between at least 2")
    means = {name: mean_by_domain(each) for name, each in results.items()}
    gaps: dict[str, dict[str, tuple[str, Score]]] = {}
    for name in results:
        gaps[name] = {}
        for domain in means[name]:
            best = max((other for other in results if other != name), key=lambda other: means[other][domain])
            gaps[name][domain] = (best, compare_domains(results[name], results[best])[domain])
    return gaps
