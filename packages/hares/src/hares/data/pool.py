"""The audio of a training: clips in memory as 16-bit integers, and batches of crops."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from onepaper.audio import audio_files, read_audio
from onepaper.data import BatchSampler
from onepaper.errors import UsageError
from onepaper.progress import track

from hares.config import PoolConfig, TrainConfig
from hares.data.embedded import RATE
from hares.data.mini import MINI_TASKS, mini_task

Samples = npt.NDArray[np.float32]
_PIECE_SECONDS = 10.0


@dataclass(frozen=True)
class Pool:
    """Clips to train on, of at most ten seconds; `labels` index `classes`."""

    clips: Sequence[npt.NDArray[np.int16]]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]


def open_pool(config: PoolConfig, rate: int) -> Pool:
    """Read the audio of a training; longer files are cut into pieces of ten seconds.

    Raises:
        UsageError: no path, no audio, or a file that cannot be read.
    """
    if config.source == "embedded":
        task = mini_task(config.task)
        if rate != RATE:
            raise UsageError(f"embedded clips have {RATE} Hz, the front end {rate}; train on a folder instead")
        pieces = [(clip.samples, clip.label) for clip in task.clips()]
    else:
        if config.path is None:
            raise UsageError(
                f"give the folder to train on with --pool.path, or --pool.source embedded ({MINI_TASKS[0].name})"
            )
        pieces = []
        length = round(_PIECE_SECONDS * rate)
        for path in track(audio_files(config.path), "reading audio"):
            samples = read_audio(path, rate=rate).samples
            inside = path.relative_to(config.path).parts
            label = inside[0] if len(inside) > 1 else ""
            pieces += [(samples[start : start + length], label) for start in range(0, len(samples), length)]
    classes = tuple(sorted({label for _, label in pieces}))
    labels = np.array([classes.index(label) for _, label in pieces])
    clips = [np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16) for samples, _ in pieces]
    return Pool(clips, labels, classes)


def crop(clip: npt.NDArray[np.int16], length: int, generator: np.random.Generator) -> Samples:
    """A random part of a clip as floats; a shorter clip is placed at random in zeros."""
    part = np.zeros(length, np.float32)
    slack = len(clip) - length
    start = int(generator.integers(0, abs(slack) + 1))
    if slack >= 0:
        part[:] = clip[start : start + length]
    else:
        part[start : start + len(clip)] = clip
    part /= 32768
    return part


def crop_batches(
    pool: Pool, config: TrainConfig, *, seed: int = 0, rank: int = 0, world: int = 1
) -> Callable[[int], tuple[Samples, Samples, npt.NDArray[np.int64]]]:
    """Batches as a function of the step: two crops of each clip, and labels.

    Every clip appears once an epoch. Crops are drawn from (seed, step, position in the batch), so that the data do not
    depend on the number of processes.
    """
    sampler = BatchSampler(len(pool.clips), config.batch_size, seed=seed, rank=rank, world=world)
    length = round(config.seconds * config.encoder.front_end.rate)
    offset = rank * config.batch_size // world

    def batch(step: int) -> tuple[Samples, Samples, npt.NDArray[np.int64]]:
        views = np.empty((2, config.batch_size // world, length), np.float32)
        indices = sampler(step)
        for row, index in enumerate(indices):
            generator = np.random.default_rng([seed, step, offset + row])
            for view in range(2):
                views[view, row] = crop(pool.clips[index], length, generator)
        return views[0], views[1], pool.labels[indices]

    return batch
