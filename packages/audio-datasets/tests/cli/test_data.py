"""The verb `data`."""

import json
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb

from audio_datasets.data.clips import ClipSet


def test_list_info_and_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("audio-datasets", "data", "list", "burst", "--loadable") == 0
    found = [line.split()[-5] for line in capsys.readouterr().out.splitlines()[:-1]]
    assert len(found) == 2
    assert run_verb("audio-datasets", "data", "info", "iemocap") == 0
    assert "licence     unknown" in capsys.readouterr().out
    output = tmp_path / "a.json"
    words = ("data", "export", "--format", "croissant", "--domain", "vocal burst", "--output", str(output))
    assert run_verb("audio-datasets", *words) == 0
    assert "hume-vocalburst" in [item["name"] for item in json.loads(output.read_text())]
    capsys.readouterr()
    assert run_verb("audio-datasets", "data", "export", "--format", "csv") == 0
    assert capsys.readouterr().out.startswith("id,title,domain")


def test_check(sounds: ClipSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("audio-datasets", "data", "check", "hedgewars-voices", "--no-decode") == 0
    assert "no speaker is in several splits" in capsys.readouterr().out
    (tmp_path / "manifest.csv").write_text("path\nmissing.wav\n")
    assert run_verb("audio-datasets", "data", "check", "manifest", "--root", str(tmp_path)) == 2
    assert "unusable" in capsys.readouterr().out


def test_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("data", "card", "hedgewars-voices", "--players", "2", "--output", str(tmp_path / "a" / "card.html"))
    assert run_verb("audio-datasets", *words) == 0
    assert "GFDL-1.3" in (tmp_path / "a" / "card.html").read_text()


def test_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("data", "convert", "hedgewars-voices", "--shard-bytes", "4000000", "--output", str(tmp_path / "shards"))
    assert run_verb("audio-datasets", *words) == 0
    assert "421 clips in 3 shards" in capsys.readouterr().out
    assert run_verb("audio-datasets", *words) == 1


@pytest.mark.parametrize("library", ["datasets", "lhotse", "audformat"])
def test_convert_for_another_library(library: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(library)
    words = ("data", "convert", "hedgewars-voices", "--library", library, "--output", str(tmp_path / "out"))
    assert run_verb("audio-datasets", *words) == 0
    assert f"421 clips in {tmp_path / 'out'}; read by {library}." in capsys.readouterr().out


def test_inspect(sounds: ClipSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(sounds.clips[0].path.parent)
    output = tmp_path / "proposed.csv"
    assert run_verb("audio-datasets", "data", "inspect", "--root", folder, "--output", str(output)) == 0
    assert len(output.read_text().splitlines()) == 25
    assert run_verb("audio-datasets", "data", "inspect", "--root", str(output)) == 0
    assert "path      path" in capsys.readouterr().out
    assert run_verb("audio-datasets", "data", "inspect", "--root", folder, "--output", str(output)) == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("list", "no such words"), "no data set of the catalogue"),
        (("list", "--domain", "musik"), "did you mean 'music'"),
        (("info",), "needs a data set"),
        (("check", "iemocap"), "unknown data set 'iemocap'"),
        (("check", "hume-prosody"), "does not ship with the package"),
        (("prepare", "hedgewars-voices", "--root", "missing.deb"), "missing.deb does not exist"),
        (("inspect",), "needs a folder"),
    ],
)
def test_wrong_values(words: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("audio-datasets", "data", *words) == 2
    check_one_line_error(capsys.readouterr().err, expected)
