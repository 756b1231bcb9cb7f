"""The default set: voices of the game Hedgewars, short spoken lines and exclamations by actors in roles.

The class of a clip is derived from the name of its line. It says what the script asked for, and is not a rating by
listeners.
"""

import hashlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from onepaper.data import embedded, read_sums
from onepaper.errors import UsageError

from audio_datasets.data.clips import Clip, ClipSet

NAME = "hedgewars-voices"
CLASSES = ("pain", "effort", "threat", "joy", "alarm", "dismay", "contempt", "laugh")
PACKAGE = "hedgewars-data"
"""the Debian package; its voices are below FOLDER"""
FOLDER = "usr/share/games/hedgewars/Data/Sounds/voices"

LINES = {
    "pain": "Ooff Ouch Ow",
    "effort": "Firepunch Jump",
    "threat": "Comeonthen Gonnagetyou Illgetyou Justyouwait Revenge Watchthis Youllregretthat",
    "joy": "Amazing Brilliant Enemydown Excellent Firstblood Flawless Victory Yessir",
    "alarm": "Fire Grenade Hurry Incoming Nooo Runaway Takecover Uh-oh Watchit",
    "dismay": "Boring Bugger Drat Missed Ohdear Oops Whatthe",
    "contempt": "Coward Nutter Sameteam Stupid Traitor",
    "laugh": "Laugh",
}
_CLASS_OF_LINE = {line: label for label, lines in LINES.items() for line in lines.split()}

# Voices that share recordings or an actor stay in one fold.
_RELATED = {
    **dict.fromkeys(("Classic", "Default", "Default_es", "Default_pl", "Default_ru", "Default_uk"), "Default"),
    **dict.fromkeys(("Russian", "Russian_pl"), "Russian"),
}
_SPLIT_OF_VOICE = {
    **dict.fromkeys(("Russian", "Russian_pl", "Robot"), "validation"),
    **dict.fromkeys(("HillBilly", "Mobster", "Singer"), "test"),
}


def line_of(path: Path) -> str:
    """The script's line of a file: its name without the number of the take."""
    return re.sub(r"\d+$", "", path.stem)


def class_of(path: Path) -> str:
    """The derived class of a file, empty for a line that has none."""
    return _CLASS_OF_LINE.get(line_of(path), "")


def distinct(paths: Iterable[Path]) -> list[Path]:
    """Without byte-identical copies: the first of each content, in the order given."""
    first: dict[str, Path] = {}
    for path in paths:
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror})") from None
        first.setdefault(digest, path)
    return list(first.values())


def make_clip(path: Path) -> Clip:
    """The record of one file in the folder of its voice."""
    voice = path.parent.name
    return Clip(
        id=f"{voice}/{path.stem}",
        path=path,
        speaker=voice,
        split=_SPLIT_OF_VOICE.get(voice, "train"),
        label=class_of(path),
        group=_RELATED.get(voice, voice),
        text=line_of(path),
    )


@cache
def shipped_voices() -> ClipSet:
    """The subset that ships with the package: at most a few clips of each voice and class, byte-identical to Debian's.

    Raises:
        OnePaperError: a file is missing or damaged.
    """
    sums = read_sums(Path(__file__).parents[2] / "assets" / "data")
    names = sorted(name for name in sums if name.startswith(f"{NAME}/") and name.endswith(".ogg"))
    return ClipSet(NAME, tuple(make_clip(embedded("audio_datasets", name)) for name in names), classes=CLASSES)


def load_voices(root: Path | None = None) -> ClipSet:
    """The voices below a folder without byte-identical copies, or without a folder the shipped subset.

    Args:
        root: a folder that holds the folders of voices, the root of an installed or unpacked Debian package, or what
            `data prepare` wrote.

    Raises:
        UsageError: no voices there.
    """
    if root is None:
        return shipped_voices()
    folder = next((path for path in (root / FOLDER, root / NAME, root) if path.is_dir()), root)
    files = sorted(folder.glob("*/*.ogg"))
    if not files:
        raise UsageError(
            f"{root} holds no voices, expected folders such as British/ with .ogg files; `onepaper audio-datasets data "
            f"prepare {NAME}` writes them"
        )
    return ClipSet(NAME, tuple(make_clip(path) for path in distinct(files)), classes=CLASSES)
