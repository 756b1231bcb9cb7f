"""The card of a data set: one HTML file with players, spectrograms, histograms, balance and the licence."""

import base64
import itertools
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Float32
from onepaper.audio import audio_info, read_audio
from onepaper.display.file_bytes import picture_png, wav_bytes
from onepaper.errors import OnePaperError, UsageError
from onepaper.progress import track

from audio_datasets.catalogue.records import Record
from audio_datasets.config import FeatureConfig
from audio_datasets.data.clips import Clip, ClipSet, overlap
from audio_datasets.features.low_level import low_level

_TEMPLATES = Path(__file__).with_name("templates")
_PLAYED_SECONDS, _PLAYED_RATE = 5.0, 16_000
_BINS = 20
_MOST_BARS = 40


class Bar(NamedTuple):
    """One bar of a histogram, with its share of the longest."""

    name: str
    number: int
    share: float


class Player(NamedTuple):
    """A clip to hear, with its spectrogram, both as data URIs."""

    clip: Clip
    sound: str
    picture: str


class Cell(NamedTuple):
    """One correlation of the table, with the colour behind it."""

    text: str
    colour: str


def write_card(path: Path, clips: ClipSet, record: Record | None, *, players: int = 24, seed: int = 0) -> list[str]:
    """Write the card of a data set as one file without links to others.

    Args:
        path: of the HTML file.
        clips: the copy.
        record: what the catalogue says of it.
        players: number of clips to hear, drawn evenly from the classes.
        seed: of that choice.

    Returns:
        Files that cannot be read, one line each; they are counted on the card.

    Raises:
        OnePaperError: the file cannot be written.
    """
    import jinja2
    from onepaper.runs import write_atomic

    seconds, problems = _durations(clips)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ratings = clips.ratings() if clips.targets else np.zeros((len(clips), 0))
    content = environment.get_template("card.html.j2").render(
        clips=clips,
        record=record,
        problems=problems,
        total=_clock(sum(seconds)),
        duration=_numeric_bars(seconds, "s"),
        classes=_bars(clip.label for clip in clips if clip.label),
        speakers=_bars(clip.speaker for clip in clips if clip.speaker),
        countries=_bars(clip.country for clip in clips if clip.country),
        splits=_bars(clip.split for clip in clips if clip.split),
        shared=overlap(clips),
        ratings=[(name, _numeric_bars(list(column[~np.isnan(column)]))) for name, column in _columns(clips, ratings)],
        correlations=_correlations(ratings),
        players=[_player(clip) for clip in choose_clips(clips, players, seed)],
        balance=_balance(clips),
    )
    write_atomic(path, content)
    return problems


def choose_clips(clips: ClipSet, count: int, seed: int = 0) -> list[Clip]:
    """Clips drawn evenly from the classes (or from all clips, where there are none), those that can be read only."""
    generator = np.random.default_rng(seed)
    by_class: dict[str, list[Clip]] = {}
    for index in generator.permutation(len(clips)):
        by_class.setdefault(clips.clips[index].label, []).append(clips.clips[index])
    chosen: list[Clip] = []
    while len(chosen) < count and any(by_class.values()):
        for label in sorted(by_class):
            while by_class[label] and len(chosen) < count:
                clip = by_class[label].pop()
                if _is_readable(clip):
                    chosen.append(clip)
                    break
    return sorted(chosen, key=lambda clip: (clip.label, clip.id))


def spectrogram_png(samples: Float32[np.ndarray, " samples"], rate: int) -> bytes:
    """Log-mel energies as a picture: time to the right, 3 pixels a frame of 10 ms, low frequencies at the bottom."""
    from matplotlib import colormaps

    config = FeatureConfig(rate=rate, mels=64)
    values, names = low_level(samples, config)
    levels = values[:, : sum(name.startswith("log_mel") for name in names)].T[::-1]
    top = float(levels.max())
    scaled = np.clip((levels - (top - 12)) / 12, 0, 1)  # 52 dB below the loudest
    colours: npt.NDArray[Any] = np.asarray(colormaps["magma"](scaled))
    return picture_png((255 * colours[:, :, :3]).astype(np.uint8).repeat(3, axis=1).repeat(2, axis=0))


def _player(clip: Clip) -> Player:
    samples = clip.read(_PLAYED_RATE, _PLAYED_SECONDS)
    sound, picture = wav_bytes(samples, _PLAYED_RATE), spectrogram_png(samples, _PLAYED_RATE)
    return Player(clip, f"data:audio/wav;base64,{_encoded(sound)}", f"data:image/png;base64,{_encoded(picture)}")


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _is_readable(clip: Clip) -> bool:
    try:
        clip.read(max_seconds=0.05)
    except OnePaperError:
        return False
    return True


def _durations(clips: ClipSet) -> tuple[list[float], list[str]]:
    """Lengths of the clips by the headers of their files, and why others cannot be read."""
    seconds, problems = [], []
    for clip in track(clips, "reading headers", total=len(clips), unit="clip"):
        try:
            seconds.append(_duration(clip))
        except OnePaperError as error:
            problems.append(str(error))
    return seconds, problems


def _duration(clip: Clip) -> float:
    info = audio_info(clip.path)
    if not info.frames:  # not declared
        return read_audio(clip.path, start=clip.start, seconds=clip.seconds).seconds
    rest = info.seconds - clip.start
    if rest <= 0:
        raise UsageError(f"{clip.path} has no samples after {clip.start:g} s; it ends at {info.seconds:g} s")
    return rest if clip.seconds is None else min(rest, clip.seconds)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _bars(values: Any) -> list[Bar]:
    counts = Counter(values).most_common()
    shown, rest = counts[:_MOST_BARS], counts[_MOST_BARS:]
    if rest:
        shown.append((f"{len(rest):,} more", sum(count for _, count in rest)))
    largest = max((count for _, count in shown), default=1)
    return [Bar(name, count, count / largest) for name, count in shown]


def _numeric_bars(values: list[float], unit: str = "") -> list[Bar]:
    if not values:
        return []
    counts, edges = np.histogram(values, bins=_BINS)
    names = [f"{low:.2f} to {high:.2f} {unit}".strip() for low, high in itertools.pairwise(edges)]
    return [Bar(name, int(count), float(count / counts.max())) for name, count in zip(names, counts, strict=True)]


def _columns(clips: ClipSet, ratings: Float[np.ndarray, "clips targets"]) -> list[tuple[str, Any]]:
    return list(zip(clips.targets, ratings.T, strict=True))


def _correlations(ratings: Float[np.ndarray, "clips targets"]) -> list[list[Cell]]:
    """Pearson correlations of the ratings, over clips that have all; empty for fewer than two targets."""
    complete = ratings[~np.isnan(ratings).any(axis=1)] if ratings.shape[1] else ratings
    if ratings.shape[1] < 2 or len(complete) < 3:
        return []
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.corrcoef(complete, rowvar=False)
    return [[_cell(value) for value in row] for row in found]


def _cell(value: float) -> Cell:
    if np.isnan(value):
        return Cell("", "transparent")
    hue = "213, 94, 0" if value > 0 else "0, 114, 178"
    return Cell(f"{value:.2f}", f"rgba({hue}, {0.8 * abs(value):.2f})")


def _balance(clips: ClipSet) -> list[tuple[str, list[int]]]:
    """Clips of each speaker by class; empty where either is unknown or there are many speakers."""
    speakers = sorted({clip.speaker for clip in clips if clip.speaker})
    if not clips.classes or not 1 < len(speakers) <= _MOST_BARS:
        return []
    counts = Counter((clip.speaker, clip.label) for clip in clips)
    return [(speaker, [counts[speaker, label] for label in clips.classes]) for speaker in speakers]
