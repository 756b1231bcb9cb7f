"""The tasks of the verb `sample`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import TINY, random_network
from onepaper.testing import check_one_line_error, run_verb
from PIL import Image

from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.pretrained.networks import save_network


@pytest.mark.parametrize("task", ["colorize", "upscale", "inpaint"])
def test_tasks(task: str, trained: DCTransformer, tmp_path: Path) -> None:
    weights = str(save_network(tmp_path / "network", trained))
    words = ("--weights", weights, "--task", task, "--count", "2", "--output", str(tmp_path / "run"))
    assert run_verb("dct-transformer", "sample", *words) == 0
    assert (tmp_path / "run" / "all.png").is_file()
    assert (tmp_path / "run" / "after-1-chunks.png").is_file()
    assert (tmp_path / "run" / "prefixes.png").is_file()


def test_sheets(trained: DCTransformer, tmp_path: Path) -> None:
    """Seven prefixes of each picture, the last of which is the picture, and a heat map of each."""
    weights = str(save_network(tmp_path / "network", trained))
    words = ("--weights", weights, "--count", "3", "--output", str(tmp_path / "run"))
    assert run_verb("dct-transformer", "sample", *words) == 0
    prefixes, samples, maps = (
        np.asarray(Image.open(tmp_path / "run" / name)) for name in ("prefixes.png", "all.png", "heat-maps.png")
    )
    assert prefixes.shape[1] == 7 * 128 + 8 * 2
    assert np.array_equal(prefixes[2:130, -130:-2], samples[2:130, 2:130])
    assert maps.shape == samples.shape


def test_labels_by_name_and_number(trained: DCTransformer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = str(save_network(tmp_path / "network", trained, classes=[f"kind-{index}" for index in range(15)]))
    for label, folder in (("kind-3", "name"), ("3", "number")):
        words = ("--weights", weights, "--label", label, "--count", "2", "--output", str(tmp_path / folder))
        assert run_verb("dct-transformer", "sample", *words) == 0
    named, numbered = (Image.open(tmp_path / folder / "all.png") for folder in ("name", "number"))
    assert np.array_equal(np.asarray(named), np.asarray(numbered))
    capsys.readouterr()
    for label, expected in (("kind-33", "did you mean 'kind-3'"), ("99", "label is 99")):
        words = ("--weights", weights, "--label", label, "--output", str(tmp_path / "run"))
        assert run_verb("dct-transformer", "sample", *words) == 2
        check_one_line_error(capsys.readouterr().err, expected)


def test_labels_without_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for config, label, expected in (
        (TINY, "cat", "has no classes"),
        (replace(TINY, classes=2), "cat", "expected one of: 0, 1"),
    ):
        weights = str(save_network(tmp_path / str(config.classes), random_network(config)))
        words = ("--weights", weights, "--label", label, "--output", str(tmp_path / "run"))
        assert run_verb("dct-transformer", "sample", *words) == 2
        check_one_line_error(capsys.readouterr().err, expected)
