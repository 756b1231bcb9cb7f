"""The verb `upsample`: files of the size asked for, and a table whose numbers are those of the parts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from onepaper.testing import check_one_line_error, run_verb
from PIL import Image

from imagen3.data.pictures import Pictures
from imagen3.evaluation.upsampling import compare_methods
from imagen3.models.networks import build_denoiser
from imagen3.presets import PRESETS
from imagen3.pretrained.systems import System
from imagen3.pretrained.upsamplers import Upsampler, open_upsampler, save_upsampler


@pytest.fixture(scope="module")
def saved(weights: Path, system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = replace(PRESETS["sr-smoke"].config, steps=2, system=str(weights))
    upsampler = Upsampler(config, build_denoiser(config.denoiser).requires_grad_(False), system)
    return save_upsampler(tmp_path_factory.mktemp("upsampler"), upsampler)


def test_a_folder(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    for name, size in (("a", (19, 13)), ("b", (40, 24)), ("c", (2, 9))):
        Image.new("RGB", size, (200, 30, 30)).save(tmp_path / "small" / f"{name}.png")
    (tmp_path / "small" / "b.txt").write_text("a dog")
    words = ("--pictures", str(tmp_path / "small"), "--upsampler", str(saved), "--output", str(tmp_path / "run"))
    assert run_verb("imagen3", "upsample", *words) == 0
    sizes = [Image.open(file).size for file in sorted((tmp_path / "run").glob("*.png"))]
    assert sizes == [(36, 24), (80, 48), (4, 16)]


def test_comparison(saved: Path, pictures: Pictures, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large = pictures.pixels[:6]
    found = compare_methods(open_upsampler(saved), large, ["a dog"] * 6)
    (tmp_path / "large").mkdir()
    for number, own in enumerate(large):
        Image.fromarray(own).save(tmp_path / "large" / f"{number}.png")
        (tmp_path / "large" / f"{number}.txt").write_text("a dog")
    words = ("--pictures", str(tmp_path / "large"), "--upsampler", str(saved), "--output", str(tmp_path / "run"))
    assert run_verb("imagen3", "upsample", "--compare", *words) == 0
    assert "bicubic" in capsys.readouterr().out
    rows = json.loads((tmp_path / "run" / "tables.json").read_text())["Reduced and enlarged again"]
    assert rows[2] == ["bicubic", *(f"{value:.4g}" for value in found["bicubic"])]


def test_wrong_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("imagen3", "upsample", "--upsampler", "missing", "--output", str(tmp_path / "run")) == 2
    check_one_line_error(capsys.readouterr().err, "missing")
    assert not (tmp_path / "run").exists()
