"""FID's network is read from both public layouts; its input is that of TensorFlow 1."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError
from torch import nn

from dct_transformer.evaluation.distances import compare
from dct_transformer.evaluation.inception_features import inception_source, is_published, network_input
from dct_transformer.models.inception import Inception


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    # Files of torch before 0.4.1 have no counts of batches.
    state = Inception().state_dict()
    torch.save({name: value for name, value in state.items() if "num_batches" not in name}, path)
    return path


PICTURES = np.random.default_rng(0).integers(0, 256, (4, 20, 24, 3), dtype=np.uint8)


def test_input() -> None:
    """Each output pixel by the definition: at i n / 299, between the pixels before and after."""
    found = network_input(torch.from_numpy(PICTURES[:1]))[0]
    for row, column in ((0, 0), (150, 77), (298, 298), (3, 290)):
        y, x = np.float32(row) * np.float32(20 / 299), np.float32(column) * np.float32(24 / 299)
        (top, left), (down, across) = (int(y), int(x)), (y - int(y), x - int(x))
        bottom, right = min(top + 1, 19), min(left + 1, 23)
        upper = (1 - across) * PICTURES[0, top, left] + across * PICTURES[0, top, right]
        lower = (1 - across) * PICTURES[0, bottom, left] + across * PICTURES[0, bottom, right]
        expected = ((1 - down) * upper + down * lower - 128) / 128
        np.testing.assert_allclose(found[:, row, column].numpy(), expected, atol=1e-5)


def test_state_dict(weights: Path) -> None:
    source = inception_source(weights)
    pooled, spatial = source.extract(PICTURES)
    assert (pooled.shape, spatial.shape) == ((4, 2048), (4, 2023))
    model = Inception()
    model.load_state_dict(torch.load(weights, weights_only=True), strict=False)
    seen = []
    model.Mixed_6d.get_submodule("branch1x1").register_forward_hook(lambda _, x, y: seen.append(y))
    with torch.no_grad():
        expected = model.eval()(network_input(torch.from_numpy(PICTURES))).pooled
    np.testing.assert_allclose(pooled, expected.numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(spatial, seen[0][:, :7].reshape(4, -1).numpy(), rtol=1e-4, atol=1e-6)
    assert not is_published(weights)


class Flat(nn.Module):
    """The end of the TorchScript file: its features as they are pooled."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3), keepdim=True)


class Mixed6(nn.Module):
    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.conv, self.reduce = block.get_submodule("branch1x1"), nn.Conv2d(768, 2048, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.reduce(x)


class Script(nn.Module):
    """The names of the layers of `inception-2015-12-05.pt`, with the first blocks of a network of ours."""

    def __init__(self, model: Inception) -> None:
        super().__init__()
        stem = [model.Conv2d_1a_3x3, model.Conv2d_2a_3x3, model.Conv2d_2b_3x3, nn.MaxPool2d(3, 2)]
        stem += [model.Conv2d_3b_1x1, model.Conv2d_4a_3x3, nn.MaxPool2d(3, 2)]
        reduce = nn.Sequential(nn.Conv2d(192, 768, 1), nn.MaxPool2d(3, 2))
        names = ["conv", "conv_1", "conv_2", "pool0", "conv_3", "conv_4", "pool1", "mixed"]
        layers = OrderedDict(zip(names, [*stem, reduce], strict=True))
        layers |= {f"mixed_{index}": nn.ReLU() for index in range(1, 6)}
        self.layers = nn.Sequential(layers | {"mixed_6": Mixed6(model.Mixed_6d), "pool": Flat()})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Script(Inception()).eval()
    torch.jit.script(module).save(tmp_path / "inception.pt")
    pooled, spatial = inception_source(tmp_path / "inception.pt").extract(PICTURES[:2])
    x = network_input(torch.from_numpy(PICTURES[:2]))
    with torch.no_grad():
        expected, tap = module(x).reshape(2, -1), module.layers.mixed_6.conv(module.layers[:13](x))[:, :7]
    np.testing.assert_allclose(pooled, expected.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(spatial, tap.reshape(2, -1).numpy(), rtol=1e-4, atol=1e-5)
    torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "other.pt")
    with pytest.raises(UsageError, match="TorchScript of another network"):
        inception_source(tmp_path / "other.pt")


def test_distances_have_their_published_names(weights: Path) -> None:
    source = inception_source(weights)
    features = source.extract(PICTURES)
    found = compare(features, features, source)
    assert list(found) == ["fid", "sfid", "precision", "recall"]
    assert max(found["fid"], found["sfid"]) < 1e-6


def test_other_files_are_refused(weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights, weights_only=True)
    cases = {
        "missing": ({name: value for name, value in state.items() if name != "fc.bias"}, "lacks .'fc.bias'"),
        "shape": (state | {"fc.bias": torch.zeros(1000)}, "another network .*fc.bias"),
        "list": ([1, 2], "no tensors by name"),
    }
    for name, (content, expected) in cases.items():
        path = tmp_path / f"{name}.pth"
        torch.save(content, path)
        with pytest.raises(UsageError, match=expected) as error:
            inception_source(path)
        assert "\n" not in str(error.value)
    (tmp_path / "text.pth").write_text("no weights")
    for path, expected in ((tmp_path / "text.pth", "text.pth"), (tmp_path / "nowhere", "does not exist")):
        with pytest.raises(UsageError, match=expected):
            inception_source(path)
