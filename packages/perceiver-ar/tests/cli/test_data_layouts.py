"""`data check` on tiny trees of the published layouts, whole and with something missing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from onepaper.cli import main

from perceiver_ar.cli.data_layouts import LAYOUTS, layouts
from perceiver_ar.config import DataConfig, ExperimentConfig
from perceiver_ar.data.datasets import load
from perceiver_ar.presets import PRESETS


def pg19(root: Path) -> None:
    for part in ("train", "validation", "test"):
        (root / part).mkdir()
        (root / part / "1.txt").write_text("A book.")


def wikitext103(root: Path) -> None:
    for part in ("train", "valid", "test"):
        (root / f"wiki.{part}.tokens").write_text(" \n = Title = \n \n some words \n")


def imagenet64(root: Path) -> None:
    for part in ("train_64x64", "valid_64x64"):
        (root / part).mkdir()
        (root / part / "00001.png").write_bytes(b"a picture")


def maestro(root: Path) -> None:
    rows = ["canonical_title,split,midi_filename"]
    for split in ("train", "validation", "test"):
        rows.append(f'"A ""Title"", with commas",{split},2004/{split}.midi')
        (root / "2004").mkdir(exist_ok=True)
        (root / "2004" / f"{split}.midi").write_bytes(b"MThd")
    (root / "maestro-v3.0.0.csv").write_text("\n".join(rows))


TREES: dict[str, tuple[Callable[[Path], None], str, str, str]] = {
    "pg19": (pg19, "train: 1 file train/*.txt, published are 28,602", "test/1.txt", "test: no file test/*.txt"),
    "wikitext103": (
        wikitext103,
        "wiki.test.tokens: 9 tokens, published are 245,569",
        "wiki.valid.tokens",
        "validation: no file wiki.valid.tokens",
    ),
    "imagenet64": (
        imagenet64,
        "train: 1 file train_64x64/*.png, published are 1,281,149",
        "valid_64x64/00001.png",
        "validation and test: no file valid_64x64/*.png, expected 49999",
    ),
    "maestro": (
        maestro,
        "train: 1 performances in maestro-v3.0.0.csv, published are 962",
        "2004/test.midi",
        "1 MIDI files of the table are not there, first '2004/test.midi'",
    ),
}


def check(capsys: pytest.CaptureFixture, *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as leaving:
        main(["perceiver-ar", "data", "check", *words])
    out, err = capsys.readouterr()
    return int(leaving.value.code or 0), out, err


@pytest.mark.parametrize("name", TREES)
def test_a_tree_of_the_published_layout(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    make, differs, victim, missing = TREES[name]
    make(tmp_path)
    status, out, _ = check(capsys, str(tmp_path))
    assert status == 0, out
    assert next(layout.title for layout in LAYOUTS if layout.dataset == name) in out
    assert f"differs  {differs}" in out
    assert out.endswith("it can be trained on, but results are not comparable with published ones\n")
    (tmp_path / victim).unlink()
    status, out, _ = check(capsys, str(tmp_path))
    assert status == 2
    assert f"missing  {missing}" in out
    assert out.endswith("it cannot be trained on\n")


@pytest.mark.parametrize("name", ["pg19", "wikitext103", "maestro"])
def test_what_the_check_accepts_opens(name: str, tmp_path: Path) -> None:
    TREES[name][0](tmp_path)
    assert len(load(DataConfig(name, tmp_path)).train) == 1


def test_presets_name_their_data_set(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    wikitext103(tmp_path)
    reading = [name for name, preset in PRESETS.items() if layouts(preset.config)]
    assert {layout.dataset for name in reading for layout in layouts(PRESETS[name].config)} == set(TREES)
    preset = next(name for name in reading if PRESETS[name].config.data.dataset == "pg19")
    status, _, err = check(capsys, str(tmp_path), "--preset", preset)
    assert status == 2
    assert "has the layout of none of the data sets: pg19 with train/*.txt" in err
    status, _, err = check(capsys, str(tmp_path), "--preset", "laptop-copy-64")
    assert (status, "reads no public data set" in err) == (2, True)
    status, _, err = check(capsys, str(tmp_path / "none"))
    assert (status, "none is not a folder; give the folder of a data set" in err) == (2, True)
    status, _, err = check(capsys)
    assert (status, "data check needs a folder: onepaper perceiver-ar data check PATH" in err) == (2, True)
    assert layouts(ExperimentConfig(DataConfig("copy"))) == []
