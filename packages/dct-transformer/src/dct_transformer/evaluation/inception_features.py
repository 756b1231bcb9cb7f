"""The features of FID and sFID, by a file of the Inception network that the user supplies."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from onepaper.data import file_sha256
from onepaper.errors import UsageError
from onepaper.torch.checkpoint_files import read_torch_file
from torch import Tensor, nn

from dct_transformer.evaluation.distances import Features, FeatureSource
from dct_transformer.models.inception import POOLED, SPATIAL_CHANNELS, Inception, InceptionOutput

SIDE, BATCH = 299, 32
# Names of the published files end with it.
PUBLISHED_SHA256 = "6726825d"
_ADVICE = "give the file `pt_inception-2015-12-05-6726825d.pth` of pytorch-fid, or `inception-2015-12-05.pt`"
# Layers of the TorchScript file up to that which has the spatial features, in order.
_SCRIPT_LAYERS = (
    *("conv", "conv_1", "conv_2", "pool0", "conv_3", "conv_4", "pool1"),
    *("mixed", *(f"mixed_{index}" for index in range(1, 6))),
)


def inception_source(path: Path, device: torch.device | str = "cpu") -> FeatureSource:
    """FID and sFID by the network in a file: a state dict, or TorchScript, whose program is run: use files you trust.

    Args:
        path: `pt_inception-2015-12-05-6726825d.pth`, as pytorch-fid and torch-fidelity use it, or
            `inception-2015-12-05.pt`, as clean-fid does.
        device: of the network.

    Raises:
        UsageError: no such file, or one of another network.
    """
    model = _open(path).to(device).eval()

    @torch.inference_mode()
    def extract(pictures: UInt8[np.ndarray, "count height width 3"]) -> tuple[Features, Features]:
        parts = [
            model(network_input(torch.from_numpy(pictures[begin : begin + BATCH]).to(device)))
            for begin in range(0, len(pictures), BATCH)
        ]
        pooled, spatial = (torch.cat(arrays).double().cpu().numpy() for arrays in zip(*parts, strict=True))
        return pooled, spatial

    return FeatureSource("fid", "sfid", extract)


def is_published(path: Path) -> bool:
    """Whether a file is the one that pytorch-fid and torch-fidelity fetch."""
    return file_sha256(path).startswith(PUBLISHED_SHA256)


def _open(path: Path) -> nn.Module:
    if not path.is_file():
        raise UsageError(f"{path} does not exist; {_ADVICE}")
    try:
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            script = torch.jit.load(path, map_location="cpu")
    except RuntimeError:
        return _from_state(path, read_torch_file(path, advice=_ADVICE))
    try:
        return _Script(script)
    except AttributeError as error:
        raise UsageError(f"{path} is TorchScript of another network ({error}); {_ADVICE}") from None


def _from_state(path: Path, state: Any) -> Inception:
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UsageError(f"{path} holds no tensors by name; {_ADVICE}")
    with torch.device("meta"):
        model = Inception()
    try:
        wrong = model.load_state_dict({name: value.float() for name, value in state.items()}, strict=False, assign=True)
    except RuntimeError as error:
        raise UsageError(f"{path} is of another network ({str(error).splitlines()[-1].strip()}); {_ADVICE}") from None
    # Files of old versions of torch have no counts of batches, which nothing reads.
    missing = [name for name in wrong.missing_keys if not name.endswith("num_batches_tracked")]
    if missing or wrong.unexpected_keys:
        raise UsageError(f"{path} is of another network: it lacks {missing[:2]}, or has more layers; {_ADVICE}")
    for name, buffer in dict(model.named_buffers()).items():
        if name.endswith("num_batches_tracked"):
            model.get_submodule(name.rpartition(".")[0]).num_batches_tracked = torch.zeros_like(buffer, device="cpu")
    return model.requires_grad_(False)


class _Script(nn.Module):
    """The network of the TorchScript file, whose layers have names of their own."""

    def __init__(self, script: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.layers = script.layers
        self.first = nn.Sequential(*(getattr(script.layers, name) for name in _SCRIPT_LAYERS))
        self.tap = script.layers.mixed_6.conv

    def forward(self, x: Float[Tensor, "batch 3 299 299"]) -> InceptionOutput:
        """As of `Inception`."""
        spatial = self.tap(self.first(x))[:, :SPATIAL_CHANNELS].flatten(1)
        return InceptionOutput(self.layers(x).reshape(-1, POOLED), spatial)


def network_input(pictures: UInt8[Tensor, "count height width 3"]) -> Float[Tensor, "count 3 299 299"]:
    """Pictures resampled by TensorFlow 1's bilinear rule, and scaled to (value - 128) / 128.

    Output pixel i is at i n / 299 of n input pixels, between the two around it, without antialiasing.
    """
    x = pictures.permute(0, 3, 1, 2).float()
    down, across = (_bilinear(side).to(x.device) for side in x.shape[2:])
    return (down @ x @ across.T - 128) / 128


def _bilinear(side: int) -> Float[Tensor, "299 side"]:
    place = np.arange(SIDE, dtype=np.float32) * np.float32(side / SIDE)
    low = place.astype(int)
    weights = np.zeros((SIDE, side), np.float32)
    rows, share = np.arange(SIDE), place - low
    np.add.at(weights, (rows, low), 1 - share)
    np.add.at(weights, (rows, np.minimum(low + 1, side - 1)), share)
    return torch.from_numpy(weights)
