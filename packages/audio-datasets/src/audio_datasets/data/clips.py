"""Clips of audio with speakers, labels and splits: what every loader returns."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Float32, Int
from onepaper.audio import read_audio
from onepaper.config import check_choice, shortened
from onepaper.errors import UsageError

from audio_datasets.features.speech import trim_silence

SPLITS = ("train", "validation", "test")


class Clip(NamedTuple):
    """One clip; empty strings where something is not known.

    Attributes:
        id: unique in its set.
        path: the audio file.
        speaker: voice, actor or player.
        split: train, validation or test.
        label: the class.
        targets: ratings in the order of `ClipSet.targets`; NaN where there is none.
        group: speakers that must stay in one fold, such as related recordings; the speaker itself by default.
        country: of the speaker.
        text: what is said, or the name of the line.
        start: where the clip begins in its file, in seconds.
        seconds: its length; None reads to the end of the file.
        trim: whether `read` leaves out silence before and after speech.
    """

    id: str
    path: Path
    speaker: str = ""
    split: str = ""
    label: str = ""
    targets: tuple[float, ...] = ()
    group: str = ""
    country: str = ""
    text: str = ""
    start: float = 0.0
    seconds: float | None = None
    trim: bool = False

    def read(self, rate: int | None = None, max_seconds: float | None = None) -> Float32[np.ndarray, " frames"]:
        """The samples, mono, at `rate`; the file is decoded now.

        Args:
            rate: in Hz; None keeps that of the file.
            max_seconds: what is longer is cut, after silence is left out.

        Raises:
            UsageError: the file is missing, damaged or empty.
        """
        if self.trim:
            whole = read_audio(self.path, rate=rate, start=self.start, seconds=self.seconds)
            kept = trim_silence(whole.samples, whole.rate)
            return kept if max_seconds is None else kept[: max(1, round(max_seconds * whole.rate))]
        seconds = self.seconds
        if max_seconds is not None:
            seconds = max_seconds if seconds is None else min(seconds, max_seconds)
        return read_audio(self.path, rate=rate, start=self.start, seconds=seconds).samples


@dataclass(frozen=True)
class ClipSet:
    """Clips of one data set, in a fixed order.

    Args:
        name: id of the data set.
        clips: their records; audio is decoded when it is asked for.
        targets: names of the ratings.
        classes: names of the classes, in their order.
    """

    name: str
    clips: tuple[Clip, ...]
    targets: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.clips:
            raise UsageError(f"the data set '{self.name}' has no clips; expected at least one")
        seen: set[str] = set()
        for clip in self.clips:
            if clip.id in seen:
                raise UsageError(
                    f"the clip {shortened(clip.id)} of '{self.name}' is there twice; expected each id once"
                )
            seen.add(clip.id)
            if len(clip.targets) not in (0, len(self.targets)):
                raise UsageError(
                    f"the clip {shortened(clip.id)} of '{self.name}' has {len(clip.targets)} ratings, expected "
                    f"{len(self.targets)}"
                )
            if clip.label and self.classes and clip.label not in self.classes:
                raise UsageError(
                    f"the clip {shortened(clip.id)} has the label {shortened(clip.label)}, expected "
                    f"{', '.join(self.classes)}"
                )

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        return iter(self.clips)

    def where(self, keep: Callable[[Clip], bool]) -> "ClipSet":
        """The clips for which `keep` holds.

        Raises:
            UsageError: there is none.
        """
        return replace(self, clips=tuple(clip for clip in self.clips if keep(clip)))

    def split(self, name: str) -> "ClipSet":
        """The clips of one split.

        Raises:
            UsageError: an unknown split, or one without clips.
        """
        check_choice("split", name, SPLITS)
        return self.where(lambda clip: clip.split == name)

    def labelled(self) -> "ClipSet":
        """The clips that have a class."""
        return self.where(lambda clip: bool(clip.label))

    def labels(self) -> Int[np.ndarray, " clips"]:
        """Index of each clip's class.

        Raises:
            UsageError: a clip has none, as those of a blind test split.
        """
        index = {name: number for number, name in enumerate(self.classes)}
        if without := [clip.id for clip in self.clips if not clip.label]:
            raise UsageError(
                f"{len(without):,} of {len(self):,} clips of '{self.name}' have no class, first "
                f"{shortened(without[0])}; a split without labels cannot be scored"
            )
        return np.array([index[clip.label] for clip in self.clips], np.int64)

    def ratings(self) -> Float[np.ndarray, "clips targets"]:
        """Ratings of each clip, NaN where there is none."""
        missing = (np.nan,) * len(self.targets)
        return np.array([clip.targets or missing for clip in self.clips], np.float64)

    def values(self, field: str) -> list[Any]:
        """One attribute of all clips."""
        return [getattr(clip, field) for clip in self.clips]

    def groups(self) -> list[str]:
        """What must stay in one fold, for each clip."""
        return [clip.group or clip.speaker or clip.id for clip in self.clips]


def overlap(clips: Iterable[Clip], field: str = "speaker") -> dict[str, tuple[str, ...]]:
    """Values of a field that occur in more than one split, with those splits: the leakage of a split.

    A speaker-independent split (paper, sections 2.1 and 2.2) has none for the speaker.
    """
    found: dict[str, set[str]] = {}
    for clip in clips:
        if clip.split and getattr(clip, field):
            found.setdefault(getattr(clip, field), set()).add(clip.split)
    return {value: tuple(sorted(splits)) for value, splits in sorted(found.items()) if len(splits) > 1}


def pad_waveforms(
    waveforms: Sequence[npt.NDArray[np.float32]], frame: int
) -> tuple[Float32[np.ndarray, "clips frames frame"], Int[np.ndarray, " clips"]]:
    """Waveforms cut into frames, padded with zeros to the longest, and the number of frames of each.

    The last frame of a clip is filled up with zeros.
    """
    counts = np.array([-(-len(waveform) // frame) for waveform in waveforms], np.int64)
    padded = np.zeros((len(waveforms), int(counts.max()) * frame), np.float32)
    for row, waveform in zip(padded, waveforms, strict=True):
        row[: len(waveform)] = waveform
    return padded.reshape(len(waveforms), -1, frame), counts
