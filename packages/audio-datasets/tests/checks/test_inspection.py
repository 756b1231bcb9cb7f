"""Proposals of columns for trees whose layout is not known."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.audio import write_wav
from onepaper.errors import UsageError

from audio_datasets.checks.inspection import inspect_tree
from audio_datasets.data.manifests import read_manifest


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_wav(root / name, np.full(10, 0.1), 16_000)


def test_folders(tmp_path: Path) -> None:
    people, moods = ("ann", "bob", "cid"), ("fear", "hype")
    write(tmp_path, *(f"{split}/{who}/{mood}/1.wav" for split in ("train", "test") for who in people for mood in moods))
    proposal = inspect_tree(tmp_path)
    lines = list(proposal.lines())
    assert lines[0] == "path,speaker,label,split"
    assert lines[1] == "test/ann/fear/1.wav,ann,fear,test"
    assert str(proposal.roles["speaker"]) == "folder 2: 3 names, such as ann, bob, cid"
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    assert len(read_manifest(tmp_path)) == 12
    assert proposal.tables == {}
    assert list(inspect_tree(tmp_path).tables) == [Path("manifest.csv")]
    with pytest.raises(UsageError, match="is not a folder"):
        inspect_tree(tmp_path / "manifest.csv")


def test_emotions_are_known_by_their_names(tmp_path: Path) -> None:
    """There are more emotions than actors, so that numbers of names mislead."""
    moods = ("awe", "fear", "hype", "pain", "seduction")
    write(tmp_path, *(f"{mood}/{who}/{take}.wav" for mood in moods for who in ("ann", "bob") for take in (1, 2)))
    roles = inspect_tree(tmp_path).roles
    assert (roles["label"].place, roles["speaker"].place) == ("folder 1", "folder 2")


def test_names_of_files(tmp_path: Path) -> None:
    write(
        tmp_path,
        *(f"actor{who}_{mood}_{take}.wav" for who in (1, 2, 3) for mood in ("Fear", "Hype") for take in (1, 2)),
    )
    lines = list(inspect_tree(tmp_path).lines())
    assert lines[:2] == ["path,speaker,label", "actor1_Fear_1.wav,actor1,Fear"]
    write(tmp_path, "noise.wav")  # not all names have three parts
    assert next(inspect_tree(tmp_path).lines()) == "path"


def test_sessions_and_players(tmp_path: Path) -> None:
    write(tmp_path, *(f"player_{who}/session-{n}/0001.wav" for who in (10, 11) for n in (1, 2, 3)))
    roles = inspect_tree(tmp_path).roles
    assert {name: level.place for name, level in roles.items()} == {"speaker": "folder 1", "group": "folder 2"}
