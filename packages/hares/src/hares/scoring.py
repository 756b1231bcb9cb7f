"""Scores of frozen embeddings on the tasks of HARES: parts of clips are embedded once, and a probe is fitted to them.

This is not the schedule of the paper, which embeds random crops for 400,000 steps: here every part of a training clip
is one row. The validation part, which the paper ignores, only chooses the probe's setting.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32
from onepaper.audio import read_audio
from onepaper.errors import UsageError
from onepaper.progress import track

from hares.data.tasks import Task
from hares.evaluation import Embedding, cut_parts, embed_batches
from hares.probing.probes import GRIDS, Probe, ProbeKind, fit_probes
from hares.probing.scores import Score, bootstrap_over_groups, mean_average_precision
from hares.suite.records import SuiteClip, SuiteData

# Length of the clips of tasks whose whole clips are embedded, in seconds.
_WHOLE = {"esc50": 5.0, "speech_commands_v1": 1.0, "speech_commands_v2": 1.0, "nsynth_instrument": 4.0}
_OVERLAPPING = {"audioset": 10}
_PROBES: dict[str, ProbeKind] = {"linear": "logistic", "mlp": "mlp", "svm": "svm"}
_PENDING = 256

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


def score_task(embedding: Embedding, data: SuiteData, probe: ProbeKind | None = None, *, seed: int = 0) -> SuiteResult:
    """Score an embedding on the test part, or on every fold with the others as training.

    Args:
        embedding: frozen; clips are resampled to its rate.
        data: a task with its clips.
        probe: kind; None takes that of the paper (linear, one hidden layer for AudioSet, support vectors for ESC-50).
        seed: of the probe.

    Raises:
        UsageError: a file that cannot be read, or embeddings that are not finite.
    """
    kind = probe or _PROBES[data.task.probe]
    features, owners = embed_clips(embedding, data)
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


def embed_clips(
    embedding: Embedding, data: SuiteData
) -> tuple[Float32[np.ndarray, "parts dim"], npt.NDArray[np.int64]]:
    """Embeddings of the parts of all clips, and the clip of each part; only some clips are in memory at a time.

    Raises:
        UsageError: a file that cannot be read, or embeddings that are not finite.
    """
    length = round(part_seconds(data.task) * embedding.rate)
    count = _OVERLAPPING.get(data.task.name, 0)
    rows: list[npt.NDArray[np.float32]] = []
    pending: list[npt.NDArray[np.float32]] = []
    owners: list[int] = []
    for index, clip in enumerate(track(data.clips, f"embedding {data.task.name}", total=len(data.clips))):
        samples = read_audio(clip.path, rate=embedding.rate, start=clip.start, seconds=clip.seconds).samples
        cut = cut_parts(samples, length, count)
        pending.append(cut)
        owners += [index] * len(cut)
        if sum(map(len, pending)) >= _PENDING or index + 1 == len(data.clips):
            rows.append(embed_batches(embedding, np.concatenate(pending)))
            pending = []
    return np.concatenate(rows), np.array(owners)


def part_seconds(task: Task) -> float:
    """Length of the parts of a task's clips that are embedded (paper, appendix A)."""
    return task.train_seconds or _WHOLE[task.name]


def _with_validation(data: SuiteData, parts: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
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
