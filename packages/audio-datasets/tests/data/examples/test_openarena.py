"""Sounds of players: classes from names, copies."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.audio import write_wav
from onepaper.errors import UsageError

from audio_datasets.data.examples.openarena import class_of, load_players


def test_classes() -> None:
    names = {"pain100_1": "pain", "falling1": "fall", "fall1": "fall", "death3": "death", "taunt": "taunt", "step": ""}
    assert {name: class_of(name) for name in names} == names


def test_folder(tmp_path: Path) -> None:
    for name, level in (("death1", 0.1), ("death2", 0.1), ("gasp", 0.2), ("step", 0.3)):
        (tmp_path / "grism").mkdir(exist_ok=True)
        write_wav(tmp_path / "grism" / f"{name}.wav", np.full(100, level, np.float32), 22_050)
    assert [clip.id for clip in load_players(tmp_path)] == ["grism/death1", "grism/gasp"]
    with pytest.raises(UsageError, match="holds no player sounds"):
        load_players(tmp_path / "grism")
