"""MULE's network and front end are those of mule-torch, an independent implementation, for random weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from onepaper.errors import UsageError
from safetensors.torch import save_file

from hares.hear import open_embedding
from hares.pretrained.mule import Mule, MuleNetwork, _targets


@pytest.fixture(scope="module")
def theirs() -> Any:
    mule_torch = pytest.importorskip("mule_torch")
    pytest.importorskip("librosa")
    torch.manual_seed(0)
    model = mule_torch.MuleModel().eval()
    with torch.no_grad():  # their gains of branches begin at 0, which would hide the branches
        for name, parameter in model.named_parameters():
            if name.endswith(("gain", "bias")):
                parameter.normal_(0.5, 0.2)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, theirs: Any) -> Path:
    made = tmp_path_factory.mktemp("mule")
    theirs.save_pretrained(made)
    return made


@pytest.mark.parametrize("seconds", [0.05, 1.0, 7.3])
def test_embeddings_are_those_of_mule_torch(folder: Path, theirs: Any, seconds: float) -> None:
    embedding = open_embedding(f"mule:{folder}")
    torch.manual_seed(1)
    time = torch.arange(round(16_000 * seconds)) / 16_000
    samples = 0.3 * torch.sin(2000 * time * (1 + time)) + 0.05 * torch.randn(2, len(time))
    ours = embedding(samples)
    padded = torch.nn.functional.pad(samples, (0, max(0, 1025 - samples.shape[1])))
    with torch.no_grad():
        expected = theirs(padded)
    assert ours.shape == (2, MuleNetwork.embed_dim)
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-4)
    assert (ours[0] - ours[1]).abs().max() > 1e-3


def test_parameters() -> None:
    """The published count is 62.4 million."""
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in _targets(MuleNetwork()).values())
    assert count == pytest.approx(62.4e6, rel=0.002)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "has no tensor 'backbone.slow_stem.convs.0.weight'"),
        ({"backbone.slow_stem.convs.0.weight": torch.zeros(3)}, "has shape"),
        ({"backbone.slow_stem.convs.0.weight": torch.full((16, 1, 3, 1), torch.nan)}, "NaN"),
        (None, "cannot be read"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, tensors: dict[str, torch.Tensor] | None, message: str) -> None:
    if tensors is not None:
        save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(UsageError, match=message):
        Mule(tmp_path)
