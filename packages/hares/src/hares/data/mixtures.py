"""Clips made of several embedded ones: birds behind speech, scenes of a kind, several instruments at once.

Each is a function of a fixed seed. A mixture takes all its parts from one fold of their sets, so that parts of tested
mixtures are in no other fold.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from hares.data.embedded import RATE, Clip, embedded_clips

Samples = npt.NDArray[np.float32]
_BIRD_SECONDS, _SCENE_SECONDS, _TAG_SECONDS = 2.0, 3.0, 1.0
_BIRD_COPIES, _SCENES, _TAGS = 4, 20, 60
_PEAK, _SILENCE = 0.5, 1e-6


def layer(
    parts: Sequence[tuple[Samples, float]], seconds: float, generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Waveforms with levels in dB, each at a random position, with the peak of the sum at 0.5."""
    mixed = np.zeros(round(seconds * RATE), np.float32)
    for samples, level in parts:
        cut = samples[: len(mixed)]
        start = int(generator.integers(0, len(mixed) - len(cut) + 1))
        mixed[start : start + len(cut)] += np.float32(10.0 ** (level / 20.0)) * cut
    return mixed * np.float32(_PEAK / max(float(np.abs(mixed).max()), _SILENCE))


@functools.cache
def mixed_clips(task: str) -> list[Clip]:
    """The clips of mini_birds, mini_scenes or mini_tags."""
    makers: dict[str, Callable[[np.random.Generator], list[Clip]]] = {
        "mini_birds": _birds,
        "mini_scenes": _scenes,
        "mini_tags": _tags,
    }
    return makers[task](np.random.default_rng(0))


def _by_fold(name: str, label: str) -> dict[int, list[Clip]]:
    found: dict[int, list[Clip]] = {}
    for clip in embedded_clips(name, label):
        found.setdefault(clip.fold, []).append(clip)
    return found


def _draw(clips: Sequence[Clip], count: int, generator: np.random.Generator) -> list[Clip]:
    return [clips[int(index)] for index in generator.choice(len(clips), count, replace=False)]


def _birds(generator: np.random.Generator) -> list[Clip]:
    """Every sound 0 to 12 dB below two syllables; of birds several mixtures, so that both classes are as frequent."""
    speech = _by_fold("syllables", "vowel")
    found: list[Clip] = []
    for sound in embedded_clips("sounds", "kind"):
        is_bird = sound.label == "bird"
        for copy in range(_BIRD_COPIES if is_bird else 1):
            parts = [(sound.samples, -float(generator.uniform(0.0, 12.0)))]
            parts += [(each.samples, 0.0) for each in _draw(speech[sound.fold], 2, generator)]
            mixed = layer(parts, _BIRD_SECONDS, generator)
            found.append(Clip(f"{sound.name}-{copy}", mixed, sound.group, sound.fold, "bird" if is_bird else "none"))
    return found


def _scenes(generator: np.random.Generator) -> list[Clip]:
    """Three clips of speech, of music, of other sounds, or of speech and music."""
    sets = {"speech": _by_fold("syllables", "vowel"), "music": _by_fold("notes", "family")}
    sets["sounds"] = _by_fold("sounds", "kind")
    kinds = {**{name: (name, name, name) for name in sets}, "speech and music": ("speech", "speech", "music")}
    found: list[Clip] = []
    for fold in range(4):
        for label, names in kinds.items():
            for index in range(_SCENES):
                drawn = [_draw(sets[name][fold], 1, generator)[0] for name in names]
                parts = [(clip.samples, -float(generator.uniform(0.0, 6.0))) for clip in drawn]
                mixed = layer(parts, _SCENE_SECONDS, generator)
                found.append(Clip(f"{label}-{fold}-{index}", mixed, drawn[0].group, fold, label))
    return found


def _tags(generator: np.random.Generator) -> list[Clip]:
    """Notes of one to three families at once; the label names the families."""
    notes = _by_fold("notes", "family")
    found: list[Clip] = []
    for fold, clips in sorted(notes.items()):
        for index in range(_TAGS):
            drawn = _draw(clips, int(generator.integers(1, 4)), generator)
            mixed = layer(
                [(clip.samples, -float(generator.uniform(0.0, 6.0))) for clip in drawn], _TAG_SECONDS, generator
            )
            families = " ".join(sorted({clip.label for clip in drawn}))
            found.append(Clip(f"{fold}-{index}", mixed, drawn[0].group, fold, families))
    return found
