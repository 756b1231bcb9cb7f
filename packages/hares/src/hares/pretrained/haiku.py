"""Weights of the official Haiku code, google-deepmind/slowfast_nfnets, as npz files with keys `module|leaf`.

No official weights were published; this is for networks that were trained with the official code. There,
`np.savez(path, **{f"{module}|{leaf}": array for module, leaves in params.items() for leaf, array in leaves.items()})`
writes the file.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from onepaper.errors import UsageError
from onepaper.foreign.arrays import read_npz
from torch import Tensor, nn

from hares.config import EncoderConfig
from hares.models.encoder import Encoder
from hares.models.norm_free import NFBlock, WSConv2d
from hares.models.slowfast_nfnet import NFNet, SlowFastNFNet

_ROOT = "slow_fast_nf_net/~"


def _numbered(name: str, index: int) -> str:
    return f"{name}_{index}" if index else name


Leaf = tuple[str, Tensor, str]


def _leaves(module: nn.Module, name: str) -> Iterator[Leaf]:
    """Key, parameter and kind of each leaf of a convolution or linear layer."""
    if isinstance(module, WSConv2d):
        yield f"{name}|w", module.weight, "conv"
        yield f"{name}|gain", module.gain, "vector"
        yield f"{name}|bias", module.bias, "vector"
    elif isinstance(module, nn.Linear):
        yield f"{name}|w", module.weight, "linear"
        yield f"{name}|b", module.bias, "vector"


def _stream(net: NFNet, name: str) -> Iterator[Leaf]:
    for index, conv in enumerate(net.stem):
        yield from _leaves(conv, f"{name}/~/stem_conv{index}")
    blocks = [block for stage in net.stages for block in stage]  # pyright: ignore
    for index, block in enumerate(blocks):
        assert isinstance(block, NFBlock)
        where = f"{name}/~/{_numbered('nf_block', index)}"
        for leaf in ("conv0", "conv1", "conv1b", "conv2"):
            yield from _leaves(getattr(block, leaf), f"{where}/~/{leaf}")
        if block.conv_shortcut is not None:
            yield from _leaves(block.conv_shortcut, f"{where}/~/conv_shortcut")
        yield from _leaves(block.squeeze_excite.squeeze, f"{where}/~/squeeze_excite/~/linear")
        yield from _leaves(block.squeeze_excite.excite, f"{where}/~/squeeze_excite/~/linear_1")
        yield f"{where}|skip_gain", block.skip_gain, "vector"
    if net.final_conv is not None:
        yield from _leaves(net.final_conv, f"{name}/~/final_conv")


def haiku_leaves(network: SlowFastNFNet) -> dict[str, tuple[Tensor, str]]:
    """Key in the official tree -> parameter here and its kind. The official code makes the fast stream first."""
    leaves = [*_stream(network.fast, f"{_ROOT}/NFNet"), *_stream(network.slow, f"{_ROOT}/NFNet_1")]
    for index, conv in enumerate(network.fuse):
        leaves += _leaves(conv, f"{_ROOT}/{_numbered('fuse_fast2_slow', index)}/~/conv_f2s")
    return {key: (parameter, kind) for key, parameter, kind in leaves}


# Haiku has kernels as (time, frequency, in, out) and matrices as (in, out).
_AXES = {"conv": (3, 2, 0, 1), "linear": (1, 0), "vector": None}
_BACK = {"conv": (2, 3, 1, 0), "linear": (1, 0), "vector": None}


def export_haiku(encoder: Encoder) -> dict[str, npt.NDArray[np.float32]]:
    """The arrays of the official tree by key.

    Raises:
        UsageError: the encoder is not a Slowfast NFNet.
    """
    network = _slowfast(encoder)
    return {
        key: np.transpose(parameter.detach().cpu().float().numpy(), _BACK[kind]).copy(order="C")
        for key, (parameter, kind) in haiku_leaves(network).items()
    }


def import_haiku(path: Path, config: EncoderConfig | None = None) -> Encoder:
    """An encoder with the weights of an npz file.

    Args:
        path: the file.
        config: of the encoder; the default is the paper's Slowfast NFNet-F0.

    Raises:
        UsageError: the file lacks a key, has one too many, or an array has another shape.
    """
    arrays = read_npz(path)
    with torch.device("meta"):
        encoder = Encoder(config or EncoderConfig())
    encoder = encoder.to_empty(device="cpu")
    leaves = haiku_leaves(_slowfast(encoder))
    missing, unknown = sorted(set(leaves) - set(arrays)), sorted(set(arrays) - set(leaves))
    for kind, keys in (("lacks", missing), ("has the unknown", unknown)):
        if keys:
            raise UsageError(f"{path} {kind} '{keys[0]}' and {len(keys) - 1} more; expected the official tree")
    for key, (parameter, kind) in leaves.items():
        array = np.transpose(arrays[key], _AXES[kind]) if arrays[key].ndim == parameter.ndim else arrays[key]
        if array.shape != tuple(parameter.shape):
            raise UsageError(f"{path}: '{key}' has shape {arrays[key].shape}; other sizes than the configuration")
        if not np.isfinite(array).all():
            raise UsageError(f"{path}: '{key}' holds NaN or infinity")
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(array.copy(order="C")))
    return encoder.eval()


def _slowfast(encoder: Encoder) -> SlowFastNFNet:
    if not isinstance(encoder.network, SlowFastNFNet):
        raise UsageError(f"architecture is '{encoder.config.architecture}'; the official tree is of slowfast-nfnet")
    return encoder.network
