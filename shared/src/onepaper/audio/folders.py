"""Folders of audio, checked before a run starts."""

from collections.abc import Sequence
from pathlib import Path

from onepaper.audio.reading import read_audio
from onepaper.data import Unreadable, readable
from onepaper.errors import UsageError

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".w64", ".caf", ".g722")


def audio_files(folder: Path) -> list[Path]:
    """Audio files below a folder, by path; those whose names begin with a dot are left out.

    Raises:
        UsageError: there are none.
    """
    files = sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    )
    if not files:
        raise UsageError(f"{folder} holds no audio; expected files that end in {', '.join(SUFFIXES)}")
    return files


def readable_audio(files: Sequence[Path], unreadable: Unreadable = "error") -> list[Path]:
    """The files that `read_audio` can decode, all decoded once.

    Args:
        files: paths.
        unreadable: what to do with others.

    Raises:
        UsageError: as `onepaper.data.readable`.
    """
    return readable(files, read_audio, unreadable, description="checking audio")
