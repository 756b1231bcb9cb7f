"""Recordings to train on and to encode: what ships with the package, or audio files of a user; crops of them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from onepaper.data import random_batches
from onepaper.errors import UsageError

from slowae_rlt.config import DataConfig
from slowae_rlt.data.prompts import PROMPT_RATE, part_of, split_prompts

# Samples beyond this are integers that were not scaled to [-1, 1].
LARGEST_SAMPLE = 1.5

PARTS = ("train", "validation", "test")


def check_samples(samples: Float[np.ndarray, "..."]) -> None:
    """Raise `UsageError` unless these are finite mono samples with full scale 1, at least one."""
    if samples.ndim != 1 or not len(samples):
        raise UsageError(
            f"samples have shape {samples.shape}, expected one axis and at least one sample; mix channels to mono first"
        )
    if not np.isfinite(samples).all():
        raise UsageError(f"sample {int(np.argmin(np.isfinite(samples)))} is not finite; repair the recording")
    if (peak := float(np.abs(samples).max())) > LARGEST_SAMPLE:
        raise UsageError(f"the largest sample is {peak:g}, expected at most 1; divide integers by their full scale")


def read_recording(path: Path, sample_rate: int) -> Float[np.ndarray, " samples"]:
    """A recording as mono at a sample rate, for every format that `onepaper.audio` reads.

    Raises:
        UsageError: missing or damaged, or samples that `check_samples` refuses.
    """
    from onepaper.audio import read_audio

    samples = read_audio(path, rate=sample_rate).samples
    try:
        check_samples(samples)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    return samples


def load_recordings(config: DataConfig, sample_rate: int) -> dict[str, list[Float[np.ndarray, " _samples"]]]:
    """Recordings by part; each is in one part only.

    A folder of the user has `train`, `validation` and `test` in it, or its files are split by a checksum of their
    paths.

    Raises:
        UsageError: missing or damaged files, or a part without recordings.
    """
    if config.dataset == "prompts":
        if sample_rate != PROMPT_RATE:
            raise UsageError(
                f"sample_rate is {sample_rate}, but the prompts that ship have {PROMPT_RATE}; give --data.dataset "
                "audio and your files"
            )
        found = {name: [prompt.samples for prompt in part] for name, part in split_prompts(config.languages).items()}
    else:
        from onepaper.audio import audio_files

        assert config.path is not None
        root = config.path
        if not root.is_dir():
            raise UsageError(f"{root} is no folder; give one of audio files with --data.path")
        paths: dict[str, list[Path]]
        if (root / "train").is_dir():
            paths = {part: audio_files(root / part) for part in PARTS if (root / part).is_dir()}
        else:
            files = audio_files(root)
            paths = {part: [p for p in files if part_of(p.relative_to(root).as_posix()) == part] for part in PARTS}
        found = {part: [read_recording(path, sample_rate) for path in files] for part, files in paths.items()}
    for part in PARTS:
        if not found.get(part):
            raise UsageError(f"no recordings for {part}; give more files, or folders train, validation and test")
    return found


def crop_batches(
    recordings: Sequence[Float[np.ndarray, " _samples"]],
    length: int,
    context: tuple[int, int],
    batch_size: int,
    *,
    seed: int,
    rank: int = 0,
    world: int = 1,
) -> Callable[[int], Float[np.ndarray, "batch samples"]]:
    """Crops with context before and after them, as a function of the step; around recordings there is silence.

    Args:
        recordings: chosen in proportion to their lengths.
        length: samples of a crop.
        context: samples before and after it.
        batch_size: crops of all processes.
        seed: of the choice.
        rank: index of this process.
        world: number of processes.
    """
    sizes = np.array([max(len(recording), length) for recording in recordings], np.float64)
    before, after = context

    def make(generator: np.random.Generator, count: int) -> Float[np.ndarray, "batch samples"]:
        crops = np.zeros((count, before + length + after), np.float32)
        for crop, index in zip(crops, generator.choice(len(recordings), count, p=sizes / sizes.sum()), strict=True):
            recording = recordings[index]
            start = int(generator.integers(0, max(len(recording) - length, 0) + 1)) - before
            part = recording[max(start, 0) : max(start + len(crop), 0)]
            offset = max(-start, 0)
            crop[offset : offset + len(part)] = part
        return crops

    return random_batches(make, batch_size, seed=seed, rank=rank, world=world)
