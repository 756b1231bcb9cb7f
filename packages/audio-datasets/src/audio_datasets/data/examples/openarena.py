"""The second example set: sounds of the characters of the game OpenArena, vocal bursts whose class is the event."""

import re
from pathlib import Path

from onepaper.errors import UsageError

from audio_datasets.data.clips import Clip, ClipSet
from audio_datasets.data.examples.hedgewars import distinct

NAME = "openarena-players"
CLASSES = ("death", "drown", "fall", "gasp", "jump", "pain", "taunt")
PACKAGE = "openarena-081-players"
ARCHIVE = "usr/share/games/openarena/baseoa/pak2-players.pk3"
"""a zip archive in the Debian package; its sounds are in sound/player/CHARACTER/"""


def class_of(stem: str) -> str:
    """Class of a file, empty for another sound: `pain100_1` is pain, `falling1` and `fall1` are fall."""
    word = re.sub(r"ing$", "", re.match(r"[a-z]*", stem)[0])  # type: ignore[index]
    return word if word in CLASSES else ""


def load_players(root: Path) -> ClipSet:
    """The sounds below a folder of characters, without byte-identical copies; no split is defined.

    Raises:
        UsageError: no sounds there.
    """
    folder = next((path for path in (root / NAME, root / "sound/player", root) if path.is_dir()), root)
    files = sorted(folder.glob("*/*.wav"))
    if not files:
        raise UsageError(
            f"{root} holds no player sounds, expected folders such as angelyss/ with .wav files; `onepaper "
            f"audio-datasets data prepare {NAME}` writes them"
        )
    clips = (
        Clip(f"{path.parent.name}/{path.stem}", path, path.parent.name, label=class_of(path.stem), text=path.stem)
        for path in distinct(files)
    )
    return ClipSet(NAME, tuple(clip for clip in clips if clip.label), classes=CLASSES)
