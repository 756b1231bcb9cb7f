"""Debian packages as files."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def write_deb() -> Callable[..., Path]:
    """Writes a package of files by name."""

    def write(path: Path, files: dict[str, bytes], mode: str = "xz", name: str = "") -> Path:
        """An ar archive as dpkg writes it."""
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode=f"w:{mode}") as opened:
            for member, content in files.items():
                info = tarfile.TarInfo(member)
                info.size = len(content)
                opened.addfile(info, io.BytesIO(content))
        parts = {"debian-binary": b"2.0\n", "control.tar": b"odd", name or f"data.tar.{mode}": tar.getvalue()}
        content = b"!<arch>\n"
        for part, data in parts.items():
            content += (
                f"{part:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
            )
        path.write_bytes(content)
        return path

    return write
