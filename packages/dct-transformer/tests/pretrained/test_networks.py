"""Networks on disk: the same numbers, in half precision nearly, and damaged files are refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from networks import TINY, random_network
from onepaper.errors import OnePaperError
from onepaper.testing.mutations import fuzz

from dct_transformer.config import DataConfig
from dct_transformer.data.images import open_images
from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.pretrained.networks import class_names, open_network, save_network


@pytest.mark.parametrize(("half", "tolerance"), [(False, 0.0), (True, 5e-4)])
def test_saved_networks_are_read_again(half: bool, tolerance: float, untrained: DCTransformer, tmp_path: Path) -> None:
    folder = save_network(tmp_path / "network", untrained, half=half)
    again = open_network(folder)
    for before, after in zip(untrained.parameters(), again.parameters(), strict=True):
        assert after.dtype == torch.float32
        torch.testing.assert_close(before, after, rtol=tolerance, atol=tolerance / 1000)
    assert again.config == untrained.config
    assert not again.training
    size = (folder / "model.safetensors").stat().st_size
    single = (save_network(tmp_path / "single", untrained) / "model.safetensors").stat().st_size
    assert size == single if not half else size < 0.6 * single


def test_what_ships() -> None:
    model = open_network()
    assert model.config.classes == len(class_names()) == 15
    assert class_names() == open_images(DataConfig(), 16, 16).classes
    with pytest.raises(OnePaperError, match="unknown weights 'stamps-32'"):
        open_network("stamps-32")


def test_other_weights(untrained: DCTransformer, tmp_path: Path) -> None:
    with torch.no_grad():
        broken = DCTransformer(untrained.config)
        broken.begin.fill_(torch.nan)
    with pytest.raises(OnePaperError, match="begin"):
        open_network(save_network(tmp_path / "network", broken))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("count", [40, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files(name: str, count: int, untrained: DCTransformer, tmp_path: Path) -> None:
    folder = save_network(tmp_path / "network", untrained)
    content = (folder / name).read_bytes()
    other = shutil.copytree(folder, tmp_path / "other")
    open_network(other)  # what is imported once is not counted
    fuzz(lambda path: open_network(path.parent), other / name, [content], count)


def test_names_of_classes(tmp_path: Path) -> None:
    model = random_network(replace(TINY, classes=2))
    folder = save_network(tmp_path / "network", model, classes=["birds", "fish"])
    assert class_names(folder) == ("birds", "fish")
    (folder / "classes.json").write_text('["birds"]')
    with pytest.raises(OnePaperError, match="no list of 2 names"):
        class_names(folder)
    assert class_names(save_network(tmp_path / "other", model)) == ()
