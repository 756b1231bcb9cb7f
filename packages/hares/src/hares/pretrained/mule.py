"""MULE (McCallum et al., 2022): the two-stream NFNet-F0 trained on music, from a folder of its PyTorch weights.

The folder holds the `model.safetensors` of the package mule-torch, whose tensors have the axes (out, in, frequency,
time); kernels here are (time, frequency). The weights may not be used commercially (CC BY-NC 4.0) and are not included.
The streams differ from those of the paper's network: the slow one has a first stride of eight frames instead of a
pooling, each fusion is two convolutions without an activation, and the GELU is exact.
"""

import itertools
import math
from pathlib import Path

import torch
from jaxtyping import Float
from onepaper.checkpoints import WEIGHTS_NAME
from onepaper.errors import UsageError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from hares.config import FrontEndConfig
from hares.features.keys import tensors_digest
from hares.models.norm_free import GAMMA_GELU, NFBlock, Pair, WSConv2d
from hares.spectrograms.log_mel import mel_filters

_FRONT_END = FrontEndConfig(fft=2048, mels=96, low=0.0, high=8000.0)
_COMPRESSION = 10_000.0
_SLICE, _SLICE_HOP = 300, 200
_SMALLEST_DEVIATION = 0.01
_DEPTHS = (1, 2, 6, 3)
_ALPHA = 0.2
_SLOW_STEM = ((16, (1, 3), (8, 2)), (32, (1, 3), (1, 1)), (64, (1, 3), (1, 1)), (128, (3, 3), (2, 2)))
_FAST_STEM = ((2, (3, 3), (2, 2)), (4, (3, 3), (1, 1)), (8, (3, 3), (1, 1)), (16, (3, 3), (2, 2)))
_SLOW_WIDTHS, _SLOW_GROUP = (256, 512, 1536, 1536), 128
_FAST_WIDTHS, _FAST_GROUP = (32, 64, 192, 192), 16
# Channels of the two convolutions of each fusion.
_FUSIONS = ((32, 128), (32, 256), (64, 512), (192, 3072))


def exact_gelu(x: Tensor) -> Tensor:
    """The GELU of unit variance for standard normal input, with the error function."""
    return F.gelu(x) * GAMMA_GELU


def _stem(layers: tuple[tuple[int, Pair, Pair], ...]) -> nn.ModuleList:
    widths = (1, *(width for width, _, _ in layers))
    return nn.ModuleList(
        WSConv2d(inputs, width, kernel, stride) for inputs, (width, kernel, stride) in zip(widths, layers, strict=False)
    )


def _apply_stem(stem: nn.ModuleList, x: Tensor) -> Tensor:
    for index, conv in enumerate(stem):
        x = conv(exact_gelu(x) if index else x)
    return x


def _stages(inputs: tuple[int, ...], widths: tuple[int, ...], group: int) -> nn.ModuleList:
    stages = nn.ModuleList()
    for stage, (depth, entering, width) in enumerate(zip(_DEPTHS, inputs, widths, strict=True)):
        # Unlike in the paper's network a projection does not reset the expected deviation.
        deviation = math.hypot(1.0, _ALPHA) if stage else 1.0
        blocks = nn.Sequential()
        for index in range(depth):
            blocks.append(
                NFBlock(
                    width if index else entering,
                    width,
                    (3, 1),
                    (1, 1) if index or not stage else (1, 2),
                    group,
                    beta=1.0 / deviation,
                    projects=not index,
                    alpha=_ALPHA,
                    activation=exact_gelu,
                )
            )
            deviation = math.hypot(deviation, _ALPHA)
        stages.append(blocks)
    return stages


class MuleNetwork(nn.Module):
    """From slices of a log-mel spectrogram to embeddings: (slow, fast), pooled over time and frequency."""

    embed_dim = _SLOW_WIDTHS[-1] + _FAST_WIDTHS[-1]

    def __init__(self) -> None:
        super().__init__()
        self.slow_stem, self.fast_stem = _stem(_SLOW_STEM), _stem(_FAST_STEM)
        fast_inputs = (_FAST_STEM[-1][0], *_FAST_WIDTHS[:-1])
        slow_inputs = tuple(
            width + fused for width, (_, fused) in zip((_SLOW_STEM[-1][0], *_SLOW_WIDTHS[:-1]), _FUSIONS, strict=True)
        )
        self.fusions = nn.ModuleList(
            nn.Sequential(WSConv2d(inputs, inner, (7, 1), (4, 1)), WSConv2d(inner, outputs, (1, 1)))
            for inputs, (inner, outputs) in zip(fast_inputs, _FUSIONS, strict=True)
        )
        self.slow_stages = _stages(slow_inputs, _SLOW_WIDTHS, _SLOW_GROUP)
        self.fast_stages = _stages(fast_inputs, _FAST_WIDTHS, _FAST_GROUP)

    def forward(self, x: Float[Tensor, "slices 1 t f"]) -> Float[Tensor, "slices d"]:
        """The embeddings of slices of 300 frames and 96 bands, each with mean 0 and deviation 1."""
        slow, fast = _apply_stem(self.slow_stem, x), _apply_stem(self.fast_stem, x)
        for fusion, slow_stage, fast_stage in zip(self.fusions, self.slow_stages, self.fast_stages, strict=True):
            slow = slow_stage(torch.cat([slow, fusion(fast)], 1))
            fast = fast_stage(fast)
        return exact_gelu(torch.cat([slow.mean((-2, -1)), fast.mean((-2, -1))], 1))


class Mule:
    """MULE as an embedding: the mean over slices of three seconds, two seconds apart.

    A clip of fewer than 300 frames is continued by reflection, or by its last frame where it is too short for that.

    Args:
        folder: with `model.safetensors`, or that file.

    Attributes:
        rate: sampling rate that it expects, in Hz.
        identity: a digest of the weights.

    Raises:
        UsageError: the file is missing or damaged, or lacks a tensor, or one has another shape or is not finite.
    """

    rate = _FRONT_END.rate

    def __init__(self, folder: str | Path) -> None:
        self.network = _read_network(Path(folder))
        self.identity = f"mule {tensors_digest(self.network)}"
        filters = mel_filters(_FRONT_END)
        # Filters of unit norm, and not of unit area or height.
        self._filters = filters / filters.norm(dim=0)

    def spectrogram(self, samples: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch frames mels"]:
        """log10(10000 x + 1) of mel powers; frames are centred on multiples of the hop, the ends are reflected."""
        front_end = _FRONT_END
        window = torch.hann_window(front_end.window, device=samples.device)
        # Reflection needs more samples than half of a transform.
        samples = F.pad(samples, (0, max(0, front_end.fft // 2 + 1 - samples.shape[1])))
        spectrum = torch.stft(
            samples, front_end.fft, front_end.hop, front_end.window, window, pad_mode="reflect", return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()
        return (_COMPRESSION * (power.mT @ self._filters.to(samples.device)) + 1.0).log10()

    @torch.no_grad()
    def __call__(self, samples: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch dim"]:
        """The embeddings of clips, in [-1, 1]."""
        log_mel = _at_least_a_slice(self.spectrogram(samples))
        frames, half = log_mel.shape[1], _SLICE // 2
        centres = [min(max(centre, half), frames - half) for centre in range(_SLICE_HOP, frames, _SLICE_HOP)]
        slices = torch.stack([log_mel[:, centre - half : centre + half] for centre in centres], 1)
        slices = slices - slices.mean((-2, -1), keepdim=True)
        slices = slices / slices.std((-2, -1), correction=0, keepdim=True).clamp(min=_SMALLEST_DEVIATION)
        rows = self.network(slices.flatten(0, 1)[:, None])
        return rows.unflatten(0, slices.shape[:2]).mean(1)


def _at_least_a_slice(log_mel: Float[Tensor, "batch frames mels"]) -> Float[Tensor, "batch frames2 mels"]:
    missing = _SLICE - log_mel.shape[1]
    if missing <= 0:
        return log_mel
    mode = "reflect" if missing < log_mel.shape[1] else "replicate"
    return F.pad(log_mel.mT, (0, missing), mode=mode).mT


def _targets(network: MuleNetwork) -> dict[str, Tensor]:
    """Tensor names of mule-torch -> parameters here."""
    found: dict[str, Tensor] = {}

    def add(name: str, conv: nn.Module | None) -> None:
        assert isinstance(conv, WSConv2d)
        for leaf in ("weight", "gain", "bias"):
            found[f"{name}.{leaf}"] = getattr(conv, leaf)

    for stream in ("slow", "fast"):
        for index, conv in enumerate(getattr(network, f"{stream}_stem")):
            add(f"{stream}_stem.convs.{index}", conv)
        for stage, blocks in enumerate(getattr(network, f"{stream}_stages")):
            for index, block in enumerate(blocks):
                name = f"{stream}_stages.{stage}.blocks.{index}"
                for number, leaf in enumerate(("conv0", "conv1", "conv1b", "conv2")):
                    add(f"{name}.convs.{number}", getattr(block, leaf))
                if block.conv_shortcut is not None:
                    add(f"{name}.skip_conv", block.conv_shortcut)
                for theirs, layer in (("fc1", block.squeeze_excite.squeeze), ("fc2", block.squeeze_excite.excite)):
                    found[f"{name}.se.{theirs}.weight"], found[f"{name}.se.{theirs}.bias"] = layer.weight, layer.bias
                found[f"{name}.skip_gain"] = block.skip_gain
    for index, number in itertools.product(range(len(_FUSIONS)), range(2)):
        add(f"fusions.{index}.conv{number + 1}", network.fusions[index][number])  # type: ignore[index]
    return {f"backbone.{name}": parameter for name, parameter in found.items()}


def _read_network(path: Path) -> MuleNetwork:
    path = path / WEIGHTS_NAME if path.is_dir() else path
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path} cannot be read ({reason}), expected the weights of mule-torch") from None
    network = MuleNetwork().requires_grad_(requires_grad=False).eval()
    for name, parameter in _targets(network).items():
        if name not in tensors:
            raise UsageError(f"{path} has no tensor '{name}', expected the weights of mule-torch")
        tensor = tensors[name].float()
        tensor = tensor.mT if tensor.ndim == 4 else tensor.reshape(parameter.shape) if tensor.numel() == 1 else tensor
        if tensor.shape != parameter.shape:
            raise UsageError(f"{path}: '{name}' has shape {tuple(tensors[name].shape)}; these are not MULE's weights")
        if not tensor.isfinite().all():
            raise UsageError(f"{path}: '{name}' holds NaN or infinity")
        parameter.copy_(tensor)
    return network
