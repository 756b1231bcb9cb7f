"""Example sets from packages."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from onepaper.display.file_bytes import wav_bytes
from onepaper.errors import UsageError

from audio_datasets.data.examples import hedgewars, openarena
from audio_datasets.data.examples.preparation import prepare
from audio_datasets.data.loaders import load


def unpacked(root: Path, package: str, files: dict[str, bytes]) -> Path:
    for name, content in {f"usr/share/doc/{package}/copyright": b"Licence", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_voices(tmp_path: Path) -> None:
    clips = hedgewars.shipped_voices().clips[:2]
    files = {f"{hedgewars.FOLDER}/{clip.id}.ogg": clip.path.read_bytes() for clip in clips}
    source = unpacked(tmp_path / "package", hedgewars.PACKAGE, files)
    assert prepare(hedgewars.NAME, tmp_path / "out", source) == 2
    assert [clip.id for clip in load(hedgewars.NAME, tmp_path / "out")] == [clip.id for clip in clips]
    assert (tmp_path / "out" / "copyright").read_text() == "Licence"


def test_players(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("sound/player/grism/death1.wav", wav_bytes(np.zeros(100), 22_050))
        archive.writestr("models/players/grism/head.md3", b"mesh")
    source = unpacked(tmp_path / "package", openarena.PACKAGE, {openarena.ARCHIVE: content.getvalue()})
    assert prepare(openarena.NAME, tmp_path / "out", source) == 1
    assert [clip.label for clip in load(openarena.NAME, tmp_path / "out")] == ["death"]
    assert (tmp_path / "out" / "copyright").is_file()


def test_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected hedgewars-voices, openarena-players, asterisk-prompts"):
        prepare("crema-d", tmp_path / "out")
    with pytest.raises(UsageError, match=r"missing.deb does not exist"):
        prepare(hedgewars.NAME, tmp_path / "out", tmp_path / "missing.deb")
    if not (Path("/") / hedgewars.FOLDER).exists():
        with pytest.raises(UsageError, match="apt-get download hedgewars-data"):
            prepare(hedgewars.NAME, tmp_path / "out")
