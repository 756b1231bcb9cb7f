"""All tasks by name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from onepaper.config import unknown
from onepaper.errors import UsageError

from hares.suite import environment, music, speech
from hares.suite.records import SuiteData

LOADERS: dict[str, Callable[[Path], SuiteData]] = {
    "audioset": environment.load_audioset,
    "birdsong": environment.load_birdsong,
    "tut18": environment.load_tut18,
    "esc50": environment.load_esc50,
    "speech_commands_v1": speech.load_twelve_commands,
    "speech_commands_v1_raw30": partial(speech.load_speech_commands, task="speech_commands_v1"),
    "speech_commands_v2": speech.load_speech_commands,
    "fluent_speech_commands": speech.load_fluent,
    "voxforge": speech.load_voxforge,
    "voxceleb1": speech.load_voxceleb1,
    "nsynth_pitch": partial(music.load_nsynth, target="pitch"),
    "nsynth_instrument": music.load_nsynth,
    "magnatagatune": music.load_magnatagatune,
}
"""Task of HARES -> loader. Speech Commands v1 has two readings: twelve classes (its name), or all 30 words (raw30)."""


def open_task(name: str, root: Path) -> SuiteData:
    """A task from the folder of its data set.

    Raises:
        UsageError: no such task or folder, or another layout than the published one.
    """
    if name not in LOADERS:
        raise UsageError(unknown("task", name, LOADERS))
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder; give the folder of the data set of {name}")
    return LOADERS[name](root)
