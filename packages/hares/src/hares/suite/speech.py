"""Speech Commands in three readings, Fluent Speech Commands, VoxForge and VoxCeleb1 (paper, table 1: speech)."""

from collections.abc import Iterator
from pathlib import Path

from onepaper.audio import audio_info
from onepaper.errors import UsageError

from hares.data.tasks import task_of
from hares.suite.environment import HASHED, hashed_part, listed_parts
from hares.suite.records import SuiteClip, SuiteData, cell, inside, present, read_lines, read_rows

WORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
_UNKNOWN, _SILENCE, _NOISE = "_unknown_", "_silence_", "_background_noise_"
_LANGUAGES = ("de", "en", "es", "fr", "it", "ru")
_SLOTS = ("action", "object", "location")


def _recordings(root: Path) -> Iterator[tuple[Path, str, str, str]]:
    """File, word, part and speaker of Speech Commands; the lists name validation and test."""
    part_of = dict.fromkeys(read_lines(root / "validation_list.txt"), "validation")
    part_of |= dict.fromkeys(read_lines(root / "testing_list.txt"), "test")
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(("_", "."))):
        for path in sorted(folder.glob("*.wav")):
            part = part_of.get(f"{folder.name}/{path.name}", "train")
            yield path, folder.name, part, path.stem.partition("_nohash_")[0]


def load_speech_commands(root: Path, task: str = "speech_commands_v2") -> SuiteData:
    """Speech Commands: one folder a word, `validation_list.txt` and `testing_list.txt`; a class for every word.

    Of version 0.01 that are 30 words, of 0.02 35.

    Raises:
        UsageError: no lists or no words.
    """
    rows = list(_recordings(root))
    names = tuple(sorted({word for _, word, _, _ in rows}))
    found, missing = present(SuiteClip(path, part, (names.index(word),), speaker) for path, word, part, speaker in rows)
    note = ""
    if len(names) != task_of(task).classes:
        note = f"{len(names)} words, the task of the paper has {task_of(task).classes} classes"
    return SuiteData(task_of(task), found, (names,), note, missing)


def load_twelve_commands(root: Path) -> SuiteData:
    """The twelve classes of TensorFlow Datasets: ten words, all others as unknown, and seconds of background noise.

    The paper's count of 90,000 clips is that of this arrangement of version 0.02. Of each noise file, the first eight
    tenths are for training and a tenth each for validation and test.

    Raises:
        UsageError: no lists or no words.
    """
    names = (*WORDS, _SILENCE, _UNKNOWN)

    def clips() -> Iterator[SuiteClip]:
        for path, word, part, speaker in _recordings(root):
            yield SuiteClip(path, part, (names.index(word if word in WORDS else _UNKNOWN),), speaker)
        for path in sorted((root / _NOISE).glob("*.wav")):
            whole = int(audio_info(path).seconds)
            for second in range(whole):
                part = "train" if second < 0.8 * whole else "validation" if second < 0.9 * whole else "test"
                yield SuiteClip(path, part, (names.index(_SILENCE),), start=float(second), seconds=1.0)

    found, missing = present(clips())
    note = "test clips of the list of version 0.02, not the separate archive of TensorFlow Datasets"
    return SuiteData(task_of("speech_commands_v1"), found, (names,), note, missing)


def load_fluent(root: Path) -> SuiteData:
    """Fluent Speech Commands: `data/{train,valid,test}_data.csv` with path, speakerId, action, object and location.

    Raises:
        UsageError: a missing or damaged table.
    """
    tables = {"train": "train_data.csv", "validation": "valid_data.csv", "test": "test_data.csv"}
    rows = [
        (part, root / "data" / name, row) for part, name in tables.items() for row in read_rows(root / "data" / name)
    ]
    heads = tuple(tuple(sorted({cell(row, slot, path) for _, path, row in rows})) for slot in _SLOTS)
    found, missing = present(
        SuiteClip(
            inside(root, cell(row, "path", path), path),
            part,
            tuple(names.index(cell(row, slot, path)) for slot, names in zip(_SLOTS, heads, strict=True)),
            cell(row, "speakerId", path),
        )
        for part, path, row in rows
    )
    return SuiteData(task_of("fluent_speech_commands"), found, heads, missing=missing)


def load_voxforge(root: Path) -> SuiteData:
    """VoxForge: `LANGUAGE/SUBMISSION/wav/*.wav` of de, en, es, fr, it and ru.

    A speaker is the name before the date of a submission; of anonymous ones each submission is its own. Lists
    `train.txt`, `validation.txt` and `test.txt` of submissions give a split; without them speakers are split by a hash.

    Raises:
        UsageError: none of the languages.
    """
    listed = listed_parts(root)

    def clips() -> Iterator[SuiteClip]:
        for label, language in enumerate(_LANGUAGES):
            for folder in sorted(path for path in (root / language).glob("*") if path.is_dir()):
                user = folder.name.rpartition("-")[0].rpartition("-")[0] or folder.name
                speaker = folder.name if user.lower().startswith("anonymous") else user
                group = f"{language}/{speaker}"
                part = listed.get(folder.name, "") if listed else hashed_part(group)
                for path in sorted((*folder.glob("wav/*.wav"), *folder.glob("flac/*.flac"))):
                    if part:
                        yield SuiteClip(path, part, (label,), group)

    found, missing = present(clips())
    if not found:
        raise UsageError(
            f"{root} has no files such as en/SUBMISSION/wav/a.wav; expected folders {', '.join(_LANGUAGES)}"
        )
    return SuiteData(
        task_of("voxforge"), found, (_LANGUAGES,), "" if listed else HASHED.replace("the id", "speakers"), missing
    )


def load_voxceleb1(root: Path) -> SuiteData:
    """VoxCeleb1: `iden_split.txt` (1 training, 2 validation, 3 test) and files below `wav/` or the folder itself.

    Raises:
        UsageError: a missing list, or a line of another form.
    """
    table = root / "iden_split.txt"
    parts = {"1": "train", "2": "validation", "3": "test"}
    rows = []
    for number, line in enumerate(read_lines(table), 1):
        code, _, name = line.partition(" ")
        if code not in parts or not name:
            raise UsageError(f"{table}, line {number} is {line[:60]!r}, expected such as '1 id10001/VIDEO/00001.wav'")
        rows.append((parts[code], name))
    folder = root / "wav" if (root / "wav").is_dir() else root
    names = tuple(sorted({name.partition("/")[0] for _, name in rows}))
    number_of = {name: index for index, name in enumerate(names)}
    # The speakers are the classes; a video is in one part only.
    found, missing = present(
        SuiteClip(inside(folder, name, table), part, (number_of[name.partition("/")[0]],)) for part, name in rows
    )
    return SuiteData(task_of("voxceleb1"), found, (names,), missing=missing)
