"""Scores of frozen embeddings on the tasks of HARES: parts of clips are embedded once, and a probe is fitted to them.

This is not the schedule of the paper, which embeds random crops for 400,000 steps: here every part of a training clip
is one row. The validation part, which the paper ignores, only chooses the probe's setting.
"""

import functools
import hashlib
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Shaped
from onepaper.audio import read_audio
from onepaper.data import file_sha256
from onepaper.errors import UsageError
from onepaper.progress import track

from hares.data.tasks import Task
from hares.evaluation import Embedding, cut_parts, embed_batches
from hares.features.keys import embedding_identity
from hares.features.store import Features, FeatureStore
from hares.probing.probes import GRIDS, Probe, ProbeKind, fit_probes
from hares.probing.scores import Score, bootstrap_over_groups, mean_average_precision
from hares.suite.records import SuiteClip, SuiteData

# Length of the clips of tasks whose whole clips are embedded, in seconds.
_WHOLE = {"esc50": 5.0, "speech_commands_v1": 1.0, "speech_commands_v2": 1.0, "nsynth_instrument": 4.0}
_OVERLAPPING = {"audioset": 10}
_PROBES: dict[str, ProbeKind] = {"linear": "logistic", "mlp": "mlp", "svm": "svm"}
_CLIPS = 64

Labels = npt.NDArray[np.int64] | npt.NDArray[np.float64]


@dataclass(frozen=True)
class SuiteResult:
    """The score of an embedding on a task.

    Attributes:
        task: its name.
        score: accuracy or mean average precision on the tested clips.
        interval: of accuracy, 95% over groups (speakers, instruments) or, without these, over clips.
        probe: kind of the probe.
        clips: number of tested clips.
        note: what differs from the paper's data, and classes without a positive clip.
    """

    task: str
    score: float
    interval: Score | None
    probe: ProbeKind
    clips: int
    note: str


def score_task(
    embedding: Embedding,
    data: SuiteData,
    probe: ProbeKind | None = None,
    *,
    seed: int = 0,
    store: FeatureStore | None = None,
) -> SuiteResult:
    """Score an embedding on the test part, or on every fold with the others as training.

    Args:
        embedding: frozen; clips are resampled to its rate.
        data: a task with its clips.
        probe: kind; None takes that of the paper (linear, one hidden layer for AudioSet, support vectors for ESC-50).
        seed: of the probe.
        store: keeps the embeddings of the clips.

    Raises:
        UsageError: a file that cannot be read, or embeddings that are not finite.
    """
    kind = probe or _PROBES[data.task.probe]
    features, owners = embed_clips(embedding, data, store)
    parts = np.array([clip.part for clip in data.clips])
    if data.folds:
        folds = sorted(set(parts))
        tests = [(fold, folds[(index + 1) % len(folds)]) for index, fold in enumerate(folds)]
    else:
        parts = _with_validation(data, parts)
        tests = [("test", "validation")]
    scores = [np.zeros((len(parts), len(names))) for names in data.heads]
    for test, chosen in tests:
        is_test, is_chosen = parts == test, parts == chosen
        # Folds that chose the setting are trained on afterwards; a validation part is not.
        fitted = ~is_test if data.folds else parts == "train"
        for head, names in enumerate(data.heads):
            labels = _labels(data, head)
            inner = fitted & ~is_chosen
            rows = inner[owners]
            candidates = fit_probes(kind, features[rows], labels[owners[rows]], len(names), GRIDS[kind], seed=seed)
            values = [
                _measure(labels[is_chosen], _clip_scores(each, features, owners, is_chosen)) for each in candidates
            ]
            best = int(np.argmax(values))
            winner = candidates[best]
            if data.folds:
                rows = fitted[owners]
                (winner,) = fit_probes(
                    kind, features[rows], labels[owners[rows]], len(names), GRIDS[kind][best : best + 1], seed=seed
                )
            scores[head][is_test] = _clip_scores(winner, features, owners, is_test)
    tested = np.ones(len(parts), bool) if data.folds else parts == "test"
    return _result(data, scores, tested, kind)


def embed_clips(embedding: Embedding, data: SuiteData, store: FeatureStore | None = None) -> Features:
    """Embeddings of the parts of all clips, and the clip of each part; only some clips are in memory at a time.

    Args:
        embedding: frozen.
        data: a task with its clips.
        store: keeps finished parts of the embeddings, so that an interrupted scoring goes on, and another one with the
            same embedding and audio begins with the probe.

    Raises:
        UsageError: a file that cannot be read, embeddings that are not finite, or an embedding without an identity,
            which a store needs.
    """
    title = f"embedding {data.task.name}"
    if store is None:
        ranges = range(0, len(data.clips), _CLIPS)
        parts = [
            _embed_range(embedding, data, start, min(start + _CLIPS, len(data.clips)))
            for start in track(ranges, title, total=len(ranges))
        ]
        return Features(np.concatenate([part.rows for part in parts]), np.concatenate([part.owners for part in parts]))
    description = {
        "audio": _audio_digest(data),
        "embedding": embedding_identity(embedding),
        "parts": f"{part_seconds(data.task)} s, {_OVERLAPPING.get(data.task.name, 0)}",
    }
    return store.get(description, len(data.clips), partial(_embed_range, embedding, data), title)


def _embed_range(embedding: Embedding, data: SuiteData, start: int, stop: int) -> Features:
    """Embeddings of some of the clips."""
    length = round(part_seconds(data.task) * embedding.rate)
    count = _OVERLAPPING.get(data.task.name, 0)
    cut = [
        cut_parts(
            read_audio(clip.path, rate=embedding.rate, start=clip.start, seconds=clip.seconds).samples, length, count
        )
        for clip in data.clips[start:stop]
    ]
    owners = np.repeat(np.arange(start, stop), [len(parts) for parts in cut])
    return Features(embed_batches(embedding, np.concatenate(cut)), owners)


def _audio_digest(data: SuiteData) -> str:
    """SHA-256 over the content of all files and what is read of them."""
    digest = hashlib.sha256()
    content = functools.cache(file_sha256)
    for clip in track(data.clips, f"reading {data.task.name}", total=len(data.clips)):
        digest.update(f"{content(clip.path)} {clip.start} {clip.seconds}\n".encode())
    return digest.hexdigest()


def part_seconds(task: Task) -> float:
    """Length of the parts of a task's clips that are embedded (paper, appendix A)."""
    return task.train_seconds or _WHOLE[task.name]


def _with_validation(data: SuiteData, parts: Shaped[np.ndarray, " clips"]) -> Shaped[np.ndarray, " clips"]:
    """The parts; where none is for validation, it is a tenth of the training's groups by a hash of their name."""
    if (parts == "validation").any():
        return parts

    def held_out(clip: SuiteClip) -> bool:
        return hashlib.sha256((clip.group or clip.path.name).encode()).digest()[0] < 26

    chosen = np.array([clip.part == "train" and held_out(clip) for clip in data.clips])
    if not chosen.any() or not ((parts == "train") & ~chosen).any():
        raise UsageError(f"{data.task.name} has too few training clips to hold out a tenth; expected some dozens")
    return np.where(chosen, "validation", parts)


def _labels(data: SuiteData, head: int) -> Labels:
    if not data.several:
        return np.array([clip.labels[head] for clip in data.clips])
    labels = np.zeros((len(data.clips), len(data.heads[0])))
    for row, clip in zip(labels, data.clips, strict=True):
        row[list(clip.labels)] = 1.0
    return labels


def _clip_scores(
    probe: Probe,
    features: Float32[np.ndarray, "parts dim"],
    owners: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float64]:
    """Of each chosen clip the mean of its parts' scores."""
    kept = chosen[owners]
    values = probe.probabilities(features[kept])
    sums, counts = np.zeros((len(chosen), values.shape[1])), np.bincount(owners[kept], minlength=len(chosen))
    np.add.at(sums, owners[kept], values)
    return sums[chosen] / counts[chosen][:, None]


def _measure(labels: Labels, scores: npt.NDArray[np.float64]) -> float:
    if labels.ndim == 2:
        return mean_average_precision(labels, scores)[0]
    return float((scores.argmax(1) == labels).mean())


def _result(
    data: SuiteData, scores: list[npt.NDArray[np.float64]], tested: npt.NDArray[np.bool_], kind: ProbeKind
) -> SuiteResult:
    notes = [data.note] if data.note else []
    if data.missing:
        notes.append(f"{len(data.missing):,} files of the tables are missing or empty")
    if data.several:
        value, left_out = mean_average_precision(_labels(data, 0)[tested], scores[0][tested])
        if left_out:
            notes.append(f"{left_out} classes have no test clip")
        return SuiteResult(data.task.name, value, None, kind, int(tested.sum()), "; ".join(notes))
    # Of Fluent Speech Commands, all three slots have to be right.
    correct = np.all([each.argmax(1) == _labels(data, head) for head, each in enumerate(scores)], axis=0)[tested]
    groups = [clip.group or str(clip.path) for clip, kept in zip(data.clips, tested, strict=True) if kept]
    interval = bootstrap_over_groups(correct.astype(np.float64), groups)
    return SuiteResult(data.task.name, interval.mean, interval, kind, len(correct), "; ".join(notes))
