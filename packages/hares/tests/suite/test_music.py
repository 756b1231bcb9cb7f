"""NSynth and MagnaTagATune from small trees."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from hares.suite.music import load_magnatagatune, load_nsynth


def notes(name: str, instrument: str = "bass_0") -> str:
    return json.dumps({name: {"instrument_family_str": "bass", "pitch": 64, "instrument_str": instrument}})


def test_nsynth(write_tree: Callable[..., Path]) -> None:
    root = write_tree(
        ["nsynth-train/audio/a.wav", "nsynth-test/audio/b.wav"],
        **{"nsynth-train__examples_DOT_json": notes("a"), "nsynth-test__examples_DOT_json": notes("b", "bass_1")},
    )
    instrument, pitch = load_nsynth(root), load_nsynth(root, "pitch")
    assert [(clip.part, clip.labels, clip.group) for clip in instrument.clips] == [
        ("train", (0,), "bass_0"),
        ("test", (0,), "bass_1"),
    ]
    assert (pitch.clips[0].labels, pitch.task.name, len(pitch.heads[0])) == ((64,), "nsynth_pitch", 128)
    write_tree(**{"nsynth-test__examples_DOT_json": notes("b")})
    with pytest.raises(UsageError, match="'bass_0' is in training and test"):
        load_nsynth(root)


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_notes(write_tree: Callable[..., Path], count: int) -> None:
    root = write_tree(
        ["nsynth-train/audio/a.wav", "nsynth-test/audio/b.wav"],
        **{"nsynth-train__examples_DOT_json": notes("a"), "nsynth-test__examples_DOT_json": notes("b", "bass_1")},
    )
    table = root / "nsynth-train" / "examples.json"
    fuzz(lambda _: load_nsynth(root), table, [table.read_bytes()], count)


def test_magnatagatune(write_tree: Callable[..., Path]) -> None:
    header = '"clip_id"\t"guitar"\t"no piano"\t"mp3_path"\n'
    rows = '"1"\t"1"\t"0"\t"0/a.wav"\n"2"\t"1"\t"1"\t"c/b.wav"\n"3"\t"0"\t"1"\t"f/c.wav"\n"4"\t"0"\t"1"\t"6/d.wav"\n'
    root = write_tree(["0/a.wav", "c/b.wav", "f/c.wav"], annotations_final_DOT_csv=header + rows)
    (root / "6").mkdir()
    (root / "6" / "d.wav").touch()  # some published files are empty
    data = load_magnatagatune(root)
    assert data.heads == (("guitar", "no piano"),)
    assert [(clip.part, clip.labels) for clip in data.clips] == [
        ("train", (0,)),
        ("validation", (0, 1)),
        ("test", (1,)),
    ]
    assert [path.name for path in data.missing] == ["d.wav"]
    write_tree(annotations_final_DOT_csv=header + rows.replace("f/c", "g/c"))
    with pytest.raises(UsageError, match="folder 0 to f"):
        load_magnatagatune(root)
