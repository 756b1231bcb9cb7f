"""Folders of images, checked before a run starts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from onepaper.data import Unreadable, readable
from onepaper.errors import UsageError
from onepaper.images.reading import read_image

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def image_files(folder: Path) -> list[Path]:
    """Image files below a folder, by path; those whose names begin with a dot are left out.

    Raises:
        UsageError: there are none.
    """
    files = sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    )
    if not files:
        raise UsageError(f"{folder} holds no images; expected files that end in {', '.join(SUFFIXES)}")
    return files


def readable_images(
    files: Sequence[Path],
    unreadable: Unreadable = "error",
    *,
    channels: Literal[1, 3] = 3,
    size: tuple[int, int] | None = None,
) -> list[Path]:
    """The files that `read_image` can decode, all decoded once.

    Args:
        files: paths.
        unreadable: what to do with others.
        channels: as in `read_image`.
        size: as in `read_image`.

    Raises:
        UsageError: as `onepaper.data.readable`.
    """
    return readable(
        files, lambda file: read_image(file, channels=channels, size=size), unreadable, description="checking images"
    )
