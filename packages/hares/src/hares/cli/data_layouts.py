"""The published layouts of the twelve tasks' data sets, for `data check`."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from onepaper.errors import UsageError
from onepaper.foreign.layouts import Finding, Layout, Part

from hares.suite.loading import open_task

# Clips of the published parts, from the publications of the data sets.
_PUBLISHED: dict[str, dict[str, int]] = {
    "esc50": dict.fromkeys("12345", 400),
    "speech_commands_v2": {"train": 84_843, "validation": 9981, "test": 11_005},
    "fluent_speech_commands": {"train": 23_132, "validation": 3118, "test": 3793},
    "voxceleb1": {"train": 138_361, "validation": 6904, "test": 8251},
    "nsynth_instrument": {"train": 289_205, "validation": 12_678, "test": 4096},
}


def _inspect(task: str, root: Path) -> Iterator[Finding]:
    """Clips of each part, classes, files that are missing, and where the split is not that of the paper."""
    try:
        data = open_task(task, root)
    except UsageError as error:
        yield Finding(str(error), True, True)
        return
    published = _PUBLISHED.get(task, {})
    for part, count in data.parts().items():
        expected = published.get(part, count)
        more = f", published are {expected:,}" if expected != count else ""
        yield Finding(f"{part}: {count:,} clips{more}", bool(more))
    classes = sum(len(names) for names in data.heads)
    yield Finding(f"{classes:,} classes" + (f" in {len(data.heads)} slots" if len(data.heads) > 1 else ""))
    if data.missing:
        yield Finding(f"{len(data.missing):,} files are missing or empty, first {data.missing[0]}", True)
    if data.note:
        yield Finding(data.note, True)


def _layout(task: str, title: str, *parts: tuple[str, str]) -> Layout:
    return Layout(task, title, tuple(Part(name, pattern) for name, pattern in parts), partial(_inspect, task))


_LISTS = (("validation", "validation_list.txt"), ("test", "testing_list.txt"))
LAYOUTS = (
    _layout("audioset", "AudioSet (Gemmeke et al., 2017)", ("classes", "class_labels_indices.csv")),
    _layout("birdsong", "Birdsong, DCASE 2018 development set (Stowell et al., 2019)", ("tables", "*_*public*.csv")),
    _layout("tut18", "TUT Urban Acoustic Scenes 2018 (Mesaros et al., 2018)", ("table", "meta.csv")),
    _layout("esc50", "ESC-50 (Piczak, 2015)", ("table", "meta/esc50.csv"), ("audio", "audio/*.wav")),
    _layout("speech_commands_v2", "Speech Commands 0.02 (Warden, 2018)", ("a word of 0.02", "visual/*.wav"), *_LISTS),
    _layout("speech_commands_v1_raw30", "Speech Commands 0.01 (Warden, 2018)", *_LISTS),
    _layout("fluent_speech_commands", "Fluent Speech Commands (Lugosch et al., 2019)", ("tables", "data/*_data.csv")),
    _layout(
        "voxforge", "VoxForge", *((language, f"{language}/*") for language in ("en", "es", "fr", "de", "it", "ru"))
    ),
    _layout("voxceleb1", "VoxCeleb1, identification (Nagrani et al., 2017)", ("split", "iden_split.txt")),
    _layout(
        "nsynth_instrument",
        "NSynth (Engel et al., 2017), instruments and pitches",
        *(("train", "nsynth-train/examples.json"), ("test", "nsynth-test/examples.json")),
    ),
    _layout("magnatagatune", "MagnaTagATune (Law et al., 2009)", ("table", "annotations_final.csv")),
)


def layouts(_: object) -> tuple[Layout, ...]:
    """All of them; presets train on any folder of audio."""
    return LAYOUTS
